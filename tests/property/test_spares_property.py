"""Listed mail passes if a key of [turf] spares it, and only then; the log's `saw` names the key."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from rig.rules import StoppedClock, senders, spares
from turfmilter.core.finding import Action
from turfmilter.core.judge import Judge
from turfmilter.core.policy import Clause, Generation, Mode, Policy
from turfmilter.core.reply import REPLIES
from turfmilter.core.session import Connection, Recipient
from turfmilter.rules.turf import Exempt, TurfSender

TABLE = senders("@bad.example", "!friend@bad.example")
EXEMPT = Exempt(senders("postmaster@"))
# Addresses that share prefixes of every length, so that each entry decides about some of them.
CLIENTS = st.integers(0, 15).map(lambda last: IPv4Address("192.0.2.0") + last)
NETWORKS = st.builds(lambda client, length: IPv4Network((client, length), strict=False), CLIENTS, st.integers(28, 32))
ENTRIES = st.lists(st.tuples(NETWORKS, st.booleans()), max_size=6)
RECIPIENTS = st.lists(st.sampled_from(["<alice@ours.example>", "<postmaster@ours.example>"]), min_size=1, max_size=2)


def expected(entries: list[tuple[IPv4Network, bool]], client: IPv4Address) -> bool:
    """Whether the entries trust the client: of the narrowest networks around it, an exception decides."""
    around = [(network.prefixlen, exception) for network, exception in entries if client in network]
    return bool(around) and not max(around)[1]


@given(
    entries=ENTRIES,
    client=CLIENTS,
    local=st.booleans(),
    account=st.sampled_from(["", "alice"]),
    keys=st.tuples(st.booleans(), st.booleans()),
    sender=st.sampled_from(["<a@bad.example>", "<friend@bad.example>", "<a@fine.example>"]),
    recipients=RECIPIENTS,
    mode=st.sampled_from([Mode.TRIAL, Mode.ENFORCE]),
    action=st.sampled_from([Action.HOLD, Action.DISCARD]),
)
def test_listed_mail_passes_only_if_a_key_spares_it(
    *,
    entries: list[tuple[IPv4Network, bool]],
    client: IPv4Address,
    local: bool,
    account: str,
    keys: tuple[bool, bool],
    sender: str,
    recipients: list[str],
    mode: Mode,
    action: Action,
) -> None:
    authenticated, spare_local = keys
    lines = [f"{'!' * exception}{network}" for network, exception in entries]
    who = spares(*lines, authenticated=authenticated, local=spare_local)
    clause = Clause(TurfSender(TABLE, who), action, REPLIES["turf"], mode, REPLIES["error"], EXEMPT)
    judge = Judge(Generation(Policy((clause,))), StoppedClock())
    judge.connect(Connection(client=client, local=local))
    judge.mail(sender, (), account=account, tls=False)
    for recipient in recipients:
        judge.rcpt(Recipient(recipient))
    verdict, trials = judge.outcome(), " ".join(map(str, judge.trials))

    listed = sender == "<a@bad.example>"
    spared = (authenticated and account) or (spare_local if local else expected(entries, client))
    someone_is_not_exempt = "<alice@ours.example>" in recipients
    kept = listed and not spared and someone_is_not_exempt and mode is Mode.ENFORCE
    if local and action is Action.DISCARD and "<postmaster@ours.example>" in recipients:
        kept = False  # no recipient of a local submission can be removed, so all of them receive it
    assert verdict.action is (action if kept else Action.ACCEPT)
    said = verdict.finding.what if verdict.finding else trials
    assert ("spared by" in said) == bool(listed and spared)
    if listed and mode is Mode.TRIAL:
        assert trials.startswith("turf accept " if spared else f"turf {action.value} ")
