"""Whose mail is not held although a listed address is in it: accounts, programs of this host, and trusted clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from rig.rules import TODAY, StoppedClock, Unasked, names, senders, spares
from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.address.readings import read_sender
from turfmilter.core.finding import Action, Finding, Verdict
from turfmilter.core.judge import Judge
from turfmilter.core.policy import Clause, Generation, Mode, Policy
from turfmilter.core.reply import REPLIES
from turfmilter.core.session import Connection, Envelope, Known, Recipient, Sender, Session
from turfmilter.rules.turf import Exempt, Spares, TurfAuthor, TurfOriginator, TurfSender, UnreadableAuthor

TABLE = senders("@bad.example", "!friend@bad.example")
FLOOD = ", ".join(f"a{number}@fine.example" for number in range(3000))
BAD = Sender("<a@bad.example>", (), read_sender("<a@bad.example>"))


def message(
    client: str = "192.0.2.9",
    *,
    dns: Known | Unasked | None = None,
    local: bool = False,
    account: str = "",
    sender: str = "<a@bad.example>",
    froms: tuple[str, ...] = ("a@bad.example",),
    fields: Mapping[str, str] = MappingProxyType({}),
) -> Session:
    """A message whose header has been seen; `fields` are further fields of it."""
    connection = Connection(client=parse_address(client), names=dns or Unasked(), local=local)
    envelope = Envelope(Sender(sender, (), read_sender(sender)))
    seen = {name: [value] for name, value in fields.items()}
    return Session(
        connection, account=account, envelope=envelope, authors=read_authors(froms), fields=seen, today=TODAY
    )


def spared_by(who: Spares, session: Session) -> str:
    """What spares the session, "" for nothing; the same for all rules about who a message is from."""
    unreadable = session._replace(authors=read_authors(()))
    originator = session._replace(fields={"sender": ["a@bad.example"]})
    findings = [
        TurfSender(TABLE, who).at_mail(session),
        TurfAuthor(TABLE, who).at_headers(session),
        TurfOriginator(TABLE, who).at_headers(originator),
        UnreadableAuthor(who).at_headers(unreadable),
    ]
    said = set()
    for finding, origin in zip(findings, ["sender, ", "author, ", "originator, ", ""], strict=True):
        assert finding is not None
        key = finding.what.removeprefix(f"{origin}spared by ")
        assert finding.spared == (key != finding.what)
        said.add(key if finding.spared else "")
    assert len(said) == 1
    return said.pop()


@pytest.mark.parametrize(
    ("who", "session", "key"),
    [
        (spares(), message(), ""),
        (spares(), message(account="anna"), "spare_authenticated"),
        (spares(authenticated=False), message(account="anna"), ""),
        (spares(), message("127.0.0.1", local=True), ""),
        (spares(local=True), message("127.0.0.1", local=True), "spare_local"),
        (spares(local=True), message("", local=True), "spare_local"),
        (spares(local=True), message("127.0.0.1"), ""),
        (spares("192.0.2.0/24"), message(), "spare_clients 192.0.2.0/24 table:1"),
        (spares("192.0.2.0/24"), message("::ffff:192.0.2.9"), "spare_clients 192.0.2.0/24 table:1"),
        (spares("192.0.2.0/24"), message("198.51.100.9"), ""),
        (spares("192.0.2.0/24", "!192.0.2.9"), message(), ""),
        (spares("!192.0.2.9", "192.0.2.0/24"), message(), ""),
        (spares("192.0.2.0/24", "!192.0.2.9"), message("192.0.2.10"), "spare_clients 192.0.2.0/24 table:1"),
        (spares("!192.0.2.0/24", "192.0.2.9"), message(), "spare_clients 192.0.2.9 table:2"),
        (spares("192.0.2.9", "!192.0.2.9"), message(), ""),
        (spares("192.0.2.9 expires=2027-01-31"), message(), "spare_clients 192.0.2.9 table:1"),
        (spares("192.0.2.9 expires=2027-01-30"), message(), ""),
        (spares("192.0.2.9"), message(""), ""),
    ],
)
def test_the_finding_names_the_key_that_spares_a_message(who: Spares, session: Session, key: str) -> None:
    assert spared_by(who, session) == key


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", ""])
def test_a_local_submission_has_no_client_whatever_address_the_mta_gives_it(client: str) -> None:
    assert spared_by(spares("127.0.0.1", "::1"), message(client, local=True)) == ""


@pytest.mark.parametrize(
    ("session", "key"),
    [
        (message(account="anna", dns=Unasked()), "spare_authenticated"),
        (message("127.0.0.1", local=True, account="anna"), "spare_authenticated"),
        (message("127.0.0.1", local=True), "spare_local"),
        (message(), "spare_clients 192.0.2.9 table:1"),
    ],
)
def test_of_several_keys_the_cheapest_is_named(session: Session, key: str) -> None:
    assert spared_by(spares("192.0.2.9", "127.0.0.1", "office.example", local=True), session) == key


def test_an_exception_in_spare_clients_takes_nothing_from_the_other_keys() -> None:
    assert spared_by(spares("!192.0.2.9"), message(account="anna")) == "spare_authenticated"


@pytest.mark.parametrize(
    ("dns", "key"),
    [
        (names("mx.office.example"), "spare_clients office.example table:1"),
        (names("mx.office.example", failed=True), "spare_clients office.example table:1"),
        (names(claimed=["mx.office.example"]), ""),
        (names("other.example"), ""),
        (names("bad.office.example"), ""),
        (names("mx.office.example", claimed=["bad.office.example"]), ""),
        (names(), ""),
    ],
)
def test_a_name_must_be_confirmed_in_both_directions(dns: Known, key: str) -> None:
    assert spared_by(spares("office.example", "!bad.office.example"), message(dns=dns)) == key


@pytest.mark.parametrize("dns", [names(failed=True), names(claimed=["mx.office.example"], failed=True)])
def test_while_dns_does_not_answer_a_listed_message_stays_with_its_sender(dns: Known) -> None:
    finding = TurfSender(TABLE, spares("office.example")).at_mail(message(dns=dns))
    assert finding is not None
    assert (finding.what, finding.unavailable, finding.spared) == ("client name unknown", True, False)
    assert str(finding.matched) == "@bad.example table:1"


def test_dns_is_not_asked_about_mail_that_is_not_listed() -> None:
    who = spares("office.example")
    fine = message(sender="<friend@bad.example>", froms=("a@fine.example",), fields={"sender": "friend@bad.example"})
    assert TurfSender(TABLE, who).at_mail(fine) is None
    assert TurfAuthor(TABLE, who).at_headers(fine) is None
    assert TurfOriginator(TABLE, who).at_headers(fine) is None
    assert UnreadableAuthor(who).at_headers(fine) is None


@pytest.mark.parametrize(("who", "needed"), [(spares("192.0.2.9"), False), (spares("office.example"), True)])
def test_names_are_needed_if_an_entry_is_one_and_not_before_a_message_is_listed(who: Spares, needed: bool) -> None:
    for rule in (TurfSender(TABLE, who), TurfOriginator(TABLE, who), UnreadableAuthor(who)):
        assert rule.needs_names == needed
        assert not rule.asks_names(message())


@pytest.mark.parametrize("session", [message(account="anna"), message("127.0.0.1", local=True), message()])
def test_too_many_authors_of_a_spared_client_are_no_reason_to_wait(session: Session) -> None:
    rule = TurfAuthor(TABLE, spares("192.0.2.9", local=True))
    finding = rule.at_headers(session._replace(authors=read_authors([FLOOD, FLOOD, FLOOD])))
    assert finding is not None
    assert (finding.spared, finding.unavailable) == (True, False)


@pytest.mark.parametrize(
    ("fields", "entry"),
    [
        ({"sender": "a@bad.example"}, "@bad.example"),
        ({"sender": "Office <a@BAD.example>"}, "@bad.example"),
        ({"sender": "'a@bad.example'"}, "@bad.example"),
        ({"sender": "a%bad.example@fine.example"}, "@bad.example"),
        ({"resent-from": "a@bad.example, b@fine.example"}, "@bad.example"),
        ({"sender": "a@fine.example", "resent-from": "a@bad.example"}, "@bad.example"),
        ({"sender": "friend@bad.example"}, ""),
        ({"sender": "friend@bad.example", "resent-from": "a@bad.example"}, "@bad.example"),
        ({"sender": '"a@bad.example" <a@fine.example>'}, ""),
        ({"sender": ""}, ""),
        ({"resent-sender": "a@bad.example"}, ""),
        ({"reply-to": "a@bad.example"}, ""),
        ({}, ""),
    ],
)
def test_an_originator_is_in_sender_or_resent_from(fields: dict[str, str], entry: str) -> None:
    finding = TurfOriginator(TABLE, spares()).at_headers(message(fields=fields))
    assert (finding.matched.text if finding and finding.matched else "") == entry
    assert finding is None or finding.what == "originator"


def test_originators_beyond_what_is_read_are_neither_found_nor_let_pass() -> None:
    flooded = message()._replace(fields={"sender": [FLOOD, FLOOD, FLOOD, "a@bad.example"]})
    finding = TurfOriginator(TABLE, spares()).at_headers(flooded)
    assert finding == Finding("turf", "too many originators", unavailable=True)


ALICE, POSTMASTER = Recipient("<alice@ours.example>"), Recipient("<postmaster@ours.example>")
EXEMPT = Exempt(senders("postmaster@"))
SPARED = Finding("turf", "sender, spared by spare_local", TABLE.match(BAD.mailbox, TODAY), spared=True)


def outcome(clause: Clause, *recipients: Recipient) -> tuple[Verdict, tuple[str, ...]]:
    """What becomes of a listed local submission, and what rules in trial would have done with it."""
    judge = Judge(Generation(Policy((clause,))), StoppedClock())
    judge.connect(Connection(client=parse_address("127.0.0.1"), local=True))
    judge.mail(BAD.text, (), account="", tls=False)
    for recipient in recipients:
        judge.rcpt(recipient)
    return judge.data(), tuple(map(str, judge.trials))


@pytest.mark.parametrize("action", [Action.HOLD, Action.DISCARD])
@pytest.mark.parametrize("reply", [None, REPLIES["turf"]])
@pytest.mark.parametrize("recipients", [(ALICE,), (POSTMASTER,), (ALICE, POSTMASTER)])
def test_a_spared_message_is_accepted_for_all_and_the_verdict_says_why(
    action: Action, reply: None, recipients: tuple[Recipient, ...]
) -> None:
    clause = Clause(TurfSender(TABLE, spares(local=True)), action, reply, on_error=REPLIES["error"], exempts=EXEMPT)
    assert outcome(clause, *recipients) == (Verdict(Action.ACCEPT, SPARED), ())


def test_on_trial_the_log_says_that_it_would_be_spared_and_why() -> None:
    clause = Clause(TurfSender(TABLE, spares(local=True)), Action.HOLD, mode=Mode.TRIAL)
    accepted, trials = outcome(clause, ALICE)
    assert accepted == Verdict(Action.ACCEPT)
    assert trials == ("turf accept @bad.example table:1 sender, spared by spare_local",)
    _, trials = outcome(replace(clause, rule=TurfSender(TABLE, spares())), ALICE)
    assert trials == ("turf hold @bad.example table:1",)
