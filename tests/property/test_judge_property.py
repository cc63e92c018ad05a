"""No order of events makes the Judge raise, and none makes it accept what is refused or held."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import chain
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from rig.rules import StoppedClock, clients, domains, hosts, names, senders, spares
from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.readings import read_sender
from turfmilter.core.finding import Action, Finding, Verdict
from turfmilter.core.judge import Judge
from turfmilter.core.policy import Clause, Generation, Mode, Policy
from turfmilter.core.reply import REPLIES
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Accounts, Connection, Recipient, Session
from turfmilter.rules.relay import Relay
from turfmilter.rules.turf import Exempt, TurfAuthor, TurfSender, UnreadableAuthor

CLOCK = StoppedClock()
TURF = senders("@turf.example")
EXEMPT = Exempt(senders("postmaster@"))
SPARES = spares("203.0.113.0/24", "office.example", local=True)


class Refused(Rule):
    """Refuses senders and authors at refused.example."""

    name = "refused"
    stages = frozenset({Stage.MAIL, Stage.HEADERS})

    def at_mail(self, session: Session) -> Finding | None:
        return self._of([session.envelope.sender.mailbox.domain] if session.envelope else [])

    def at_headers(self, session: Session) -> Finding | None:
        return self._of([mailbox.domain for mailbox in session.authors.mailboxes] if session.authors else [])

    def _of(self, domains: list[str]) -> Finding | None:
        return Finding(self.name, "domain") if "refused.example" in domains else None


class SuspectAtConnect(Rule):
    """Finds clients whom the MTA calls bad.example."""

    name = "suspect"
    stages = frozenset({Stage.CONNECT})

    def at_connect(self, session: Session) -> Finding | None:
        return Finding(self.name, "name") if session.connection.name == "bad.example" else None


class RefusedAtEnd(Rule):
    """Refuses mail from late.example at the last stage."""

    name = "refused at end"
    stages = frozenset({Stage.END})

    def at_end(self, session: Session) -> Finding | None:
        late = session.envelope is not None and session.envelope.sender.mailbox.domain == "late.example"
        return Finding(self.name, "domain", unavailable=True) if late else None


def clauses(*, refusals: Mode, turf: Mode, action: Action) -> tuple[Clause, ...]:
    """The real rules and two of our own."""
    relay = Relay(
        domains=domains("ours.example"),
        always=domains(),
        routing=True,
        deny=clients("192.0.2.0/24", "isp.example", exception_refuses=False),
        allow=clients("198.51.100.0/24", "office.example", exception_refuses=True),
        interfaces=hosts(),
        accounts=Accounts(),
        accounts_need_tls=True,
        default_allows=False,
    )
    held = [TurfSender(TURF, SPARES), TurfAuthor(TURF, SPARES)]
    return (
        Clause(SuspectAtConnect(), Action.REJECT, REPLIES["connect"], Mode.TRIAL),
        Clause(relay, Action.REJECT, REPLIES["relay"], on_error=REPLIES["relay-unavailable"]),
        Clause(Refused(), Action.REJECT, REPLIES["turf"], refusals),
        Clause(RefusedAtEnd(), Action.REJECT, REPLIES["turf"], refusals, on_error=REPLIES["error"]),
        *(Clause(rule, action, None, turf, REPLIES["error"], EXEMPT) for rule in held),
        Clause(UnreadableAuthor(SPARES), action, None, Mode.TRIAL, exempts=EXEMPT),
    )


def judging(clauses: tuple[Clause, ...]) -> Judge:
    """A judge that has received no event yet."""
    return Judge(Generation(Policy(clauses)), CLOCK)


class Truth:
    """What must not be accepted, recorded in the simplest way; `refused` and `held` concern the current message."""

    def __init__(self, *, enforced: bool = True, holds: bool = True) -> None:
        self._enforced = enforced
        self._holds = holds
        self._trusted = False
        self.forget()

    def forget(self) -> None:
        """End the message."""
        self._begun = self._refused = self._held = False
        self._account = ""
        self.fields: list[tuple[str, str]] = []
        self.passed: list[Recipient] = []

    def connect(self, connection: Connection) -> None:
        confirmed = connection.names.result().confirmed
        trusted = str(connection.client).startswith("203.0.113.") or "pc.office.example" in confirmed
        self._trusted = trusted or connection.local

    def mail(self, text: str, account: str) -> None:
        self.forget()
        self._begun, self._account = True, account
        self._look_at({read_sender(text).domain})
        self._refused |= self._enforced and read_sender(text).domain == "late.example"

    def rcpt(self, recipient: Recipient, verdict: Verdict) -> None:
        if self._begun and verdict.action is Action.CONTINUE:
            self.passed.append(recipient)

    def header(self, name: str, value: str) -> None:
        self.fields.append((name, value))

    def end_of_headers(self) -> None:
        froms = [value for name, value in self.fields if name.lower() == "from"]
        self._look_at({mailbox.domain for mailbox in read_authors(froms).mailboxes})

    def _look_at(self, domains: set[str]) -> None:
        self._refused |= self._enforced and "refused.example" in domains
        spared = self._account or self._trusted
        self._held |= self._holds and not spared and bool(domains & {"turf.example", "x.turf.example"})

    @property
    def may_pass(self) -> bool:
        """True if no rule objects to the message, or only rules from which all its recipients are exempt."""
        everybody_is_exempt = bool(self.passed) and all(EXEMPT(r, CLOCK.day) for r in self.passed)
        return not self._refused and (not self._held or everybody_is_exempt)


ADDRESSES = st.sampled_from(
    [
        "<>",
        "<a@fine.example>",
        "<a@turf.example>",
        "<a@x.TURF.example.>",
        "<a@refused.example>",
        "<a@late.example>",
        "<alice@ours.example>",
        "<postmaster@ours.example>",
        "<postmaster>",
        "<x%there.example@ours.example>",
        "<x@there.example>",
        '"<',
    ]
) | st.text(st.characters(exclude_categories=()), max_size=20)
FROMS = ADDRESSES | st.lists(ADDRESSES, max_size=3).map(", ".join)
NAMES = st.sampled_from(["pc.office.example", "pc.isp.example", "pc.there.example"])
CONNECTIONS = st.builds(
    Connection,
    client=st.sampled_from([None, *map(ip_address, ("192.0.2.7", "198.51.100.7", "203.0.113.7", "2001:db8::7"))]),
    name=st.sampled_from(["", "pc.office.example", "bad.example"]),
    names=st.builds(names, NAMES, claimed=st.lists(NAMES, max_size=2), failed=st.booleans()) | st.just(names()),
    local=st.booleans(),
)
# It may be one that is spared: DNS has not said whether pc.office.example leads back to it.
UNSURE = Connection(
    client=ip_address("198.51.100.7"), names=names("pc.there.example", claimed=["pc.office.example"], failed=True)
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), CONNECTIONS),
        st.tuples(st.just("helo"), st.text(max_size=5)),
        st.tuples(st.just("mail"), ADDRESSES, st.sampled_from(["", "", "alice"]), st.booleans()),
        st.tuples(st.just("rcpt"), ADDRESSES, ADDRESSES),
        st.tuples(st.just("rcpt"), st.just("<postmaster@ours.example>"), st.just("")),
        st.tuples(st.just("data")),
        st.tuples(st.just("header"), st.sampled_from(["From", "from", "Subject", ""]), FROMS),
        st.tuples(st.just("end_of_headers")),
        st.tuples(st.just("body"), st.integers(0, 9)),
        st.tuples(st.just("end")),
        st.tuples(st.just("accepted")),
        st.tuples(st.just("abort")),
        st.tuples(st.just("outcome")),
    ),
    max_size=25,
)
# The order in which an MTA reports the events of a connection.
USUAL = st.tuples(
    st.tuples(st.just("connect"), CONNECTIONS),
    st.tuples(st.just("mail"), ADDRESSES, st.sampled_from(["", "", "alice"]), st.booleans()),
    st.tuples(st.just("rcpt"), ADDRESSES, ADDRESSES),
    st.tuples(st.just("rcpt"), st.sampled_from(["<postmaster@ours.example>", "<alice@ours.example>"]), st.just("")),
    st.tuples(st.just("data")),
    st.tuples(st.just("header"), st.just("From"), FROMS),
    st.tuples(st.just("end_of_headers")),
    st.tuples(st.just("end")),
).map(list)
MODES = st.sampled_from([Mode.TRIAL, Mode.ENFORCE])


def tell(judge: Judge, truth: Truth, event: tuple[Any, ...]) -> Verdict | None:
    """Pass one event to the judge, and to the simple record."""
    match event:
        case "mail", text, account, tls:
            truth.mail(text, account)
            judge.mail(text, (), account=account, tls=tls)
            return None
        case "rcpt", text, resolved:
            recipient = Recipient(text, (), resolved)
            verdict = judge.rcpt(recipient)
            truth.rcpt(recipient, verdict)
            return verdict
        case "header", name, value:
            truth.header(name, value)
            return None
        case "body", octets:
            judge.seen(octets)
            return None
        case ("end_of_headers",):
            truth.end_of_headers()
            fields = [(name, value.encode("utf-8", "surrogateescape")) for name, value in truth.fields]
            return judge.end_of_headers(fields)
        case "connect", connection:
            truth.forget()
            truth.connect(connection)
        case (("helo" | "abort"), *_):
            truth.forget()
    kind, *arguments = event
    told: Verdict | None = getattr(judge, kind)(*arguments)
    return told


@given(EVENTS | USUAL | st.lists(USUAL, max_size=3).map(lambda messages: list(chain(*messages))), MODES, MODES)
@example([("connect", Connection()), ("mail", "<a@refused.example>", "", False), ("end",)], Mode.ENFORCE, Mode.ENFORCE)
@example(
    [
        ("connect", UNSURE),
        ("mail", "<a@turf.example>", "", False),
        ("rcpt", "<alice@ours.example>", ""),
        ("data",),
        ("end_of_headers",),
        ("end",),
    ],
    Mode.ENFORCE,
    Mode.ENFORCE,
)
def test_nothing_that_is_refused_or_held_is_ever_accepted(
    events: list[tuple[Any, ...]], refusals: Mode, turf: Mode
) -> None:
    judge = judging(clauses(refusals=refusals, turf=turf, action=Action.HOLD))
    truth = Truth(enforced=refusals is Mode.ENFORCE, holds=turf is Mode.ENFORCE)
    for event in events:
        verdict = tell(judge, truth, event)
        if verdict is None:
            continue
        if verdict.action is Action.ACCEPT and event[0] in ("data", "end_of_headers", "end"):
            assert truth.may_pass, (event, judge.session)
        if verdict.action in (Action.REJECT, Action.TEMPFAIL):
            assert verdict.reply is not None
            assert verdict.reply.permanent == (verdict.action is Action.REJECT)
        if verdict.action is Action.HOLD:
            assert set(verdict.taken) <= set(truth.passed)
            assert not verdict.partly or (verdict.reply is None and 0 < len(verdict.taken) < len(truth.passed))
        assert event[0] not in ("data", "header") or verdict.reply is None


@given(EVENTS, EVENTS, st.booleans())
def test_a_connection_that_begins_anew_knows_nothing_of_before(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], local: bool
) -> None:
    """And neither does a message of the one before it, whatever that was."""
    everything = clauses(refusals=Mode.ENFORCE, turf=Mode.ENFORCE, action=Action.HOLD)
    again = [("connect", Connection(client=ip_address("203.0.113.7"), local=local)), ("helo", "x"), *after]
    used, fresh = judging(everything), judging(everything)
    for event in before:
        tell(used, Truth(), event)
    for event in again:
        assert tell(used, Truth(), event) == tell(fresh, Truth(), event)
        assert used.trials == fresh.trials


@given(USUAL, MODES, MODES)
def test_an_early_accept_is_what_the_end_would_have_said(
    events: list[tuple[Any, ...]], refusals: Mode, turf: Mode
) -> None:
    judge = judging(clauses(refusals=refusals, turf=turf, action=Action.HOLD)[:3])
    verdicts = [tell(judge, Truth(), event) for event in events]
    accepted = [verdict for verdict in verdicts if verdict and verdict.action is Action.ACCEPT]
    assert not accepted or verdicts[-1] == accepted[0]


@given(USUAL, st.sampled_from([(Mode.TRIAL, Mode.OFF), (Mode.OFF, Mode.TRIAL)]))
def test_trial_changes_no_verdict(events: list[tuple[Any, ...]], modes: tuple[Mode, Mode]) -> None:
    everything = clauses(refusals=modes[0], turf=modes[1], action=Action.HOLD)
    without = judging(tuple(c for c in everything if c.mode is Mode.ENFORCE))
    trying = judging(tuple(c for c in everything if c.mode is not Mode.OFF))
    last = [(tell(without, Truth(), event), tell(trying, Truth(), event)) for event in events][-1]
    assert last[0] == last[1]
