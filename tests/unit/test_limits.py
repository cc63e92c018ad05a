"""How much a client may send: each limit, and to whom it applies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.rules import StoppedClock, hosts, senders, session
from turfmilter.core.finding import Action
from turfmilter.core.judge import Judge
from turfmilter.core.policy import Clause, Generation, Policy
from turfmilter.core.reply import REPLIES
from turfmilter.core.rule import Rule
from turfmilter.core.session import Accounts, Connection, Recipient
from turfmilter.rules.limits import (
    Cap,
    Limits,
    LimitTable,
    MessageSize,
    MessagesPerSession,
    RecipientsPerBounce,
    RecipientsPerMessage,
    SessionSize,
)

SOMEBODY = Recipient("<somebody@ours.example>")
NONE = Limits(recipients_per_message=0)


def table(general: Limits = NONE, *caps: Cap, listener: str = "") -> LimitTable:
    return LimitTable(general, caps, listener)


@pytest.mark.parametrize(("passed", "refused"), [(0, False), (2, False), (3, True), (90, True)])
def test_the_first_n_recipients_pass(passed: int, refused: bool) -> None:
    rule = RecipientsPerMessage(table(Limits(recipients_per_message=3)))
    assert (rule.at_rcpt(session(recipients=passed), SOMEBODY) is not None) is refused


@pytest.mark.parametrize(("sender", "refused"), [("<>", True), ("<a@out.example>", False)])
def test_a_bounce_has_its_own_number(sender: str, refused: bool) -> None:
    rule = RecipientsPerBounce(table(Limits(recipients_per_bounce=1)))
    assert (rule.at_rcpt(session(sender=sender, recipients=1), SOMEBODY) is not None) is refused


@pytest.mark.parametrize(
    ("params", "refused"),
    [
        ((), False),
        (("SIZE=1000",), False),
        (("SIZE=1001",), True),
        (("BODY=8BITMIME", "size=99999999999"), True),
        (("SIZE=",), False),
        (("SIZE=many",), False),
        (("SIZE=-1",), False),
        (("SIZE=\u0661\u0660\u0660\u0661",), False),
        (("SIZE=1", "SIZE=1001"), True),
        ((f"SIZE={'9' * 4000}",), False),
    ],
)
def test_a_declared_size_is_refused_at_each_recipient(params: tuple[str, ...], refused: bool) -> None:
    rule = MessageSize(table(Limits(message_size=1000)))
    assert (rule.at_rcpt(session(params=params), SOMEBODY) is not None) is refused


@pytest.mark.parametrize(("size", "refused"), [(0, False), (1000, False), (1001, True)])
def test_the_counted_size_decides_at_the_end(size: int, refused: bool) -> None:
    rule = MessageSize(table(Limits(message_size=1000)))
    assert (rule.at_end(session(size=size)) is not None) is refused


@pytest.mark.parametrize(
    ("messages", "octets", "size", "refused"),
    [(0, 0, 5000, False), (1, 400, 600, False), (1, 400, 601, True), (9, 1000, 1, True)],
)
def test_the_first_message_of_a_session_always_passes(messages: int, octets: int, size: int, refused: bool) -> None:
    rule = SessionSize(table(Limits(message_size=1000, session_size=1000)))
    assert (rule.at_end(session(messages=messages, octets=octets, size=size)) is not None) is refused


@pytest.mark.parametrize(("messages", "refused"), [(0, False), (1, False), (2, True)])
def test_accepted_messages_are_counted(messages: int, refused: bool) -> None:
    rule = MessagesPerSession(table(Limits(messages_per_session=2)))
    assert (rule.at_rcpt(session(messages=messages), SOMEBODY) is not None) is refused


def test_zero_means_no_limit() -> None:
    limits = table()
    big = session(sender="<>", recipients=500, size=10**12, messages=500, octets=10**12, params=("SIZE=10000000000",))
    rules = (RecipientsPerMessage, RecipientsPerBounce, MessageSize, MessagesPerSession)
    assert [rule(limits).at_rcpt(big, SOMEBODY) for rule in rules] == [None] * 4
    assert [rule(limits).at_end(big) for rule in (MessageSize, SessionSize)] == [None] * 2


CLIENTS, SENDERS = hosts("198.51.100.0/24"), senders("news@ours.example")
MORE = Limits(recipients_per_message=5000)


@pytest.mark.parametrize(
    ("cap", "seen", "applies"),
    [
        (Cap(MORE, authenticated=Accounts(frozenset({"news"}))), session(account="news@realm"), True),
        (Cap(MORE, authenticated=Accounts(frozenset({"news"}))), session(account="anna"), False),
        (Cap(MORE, authenticated=Accounts()), session(), False),
        (Cap(MORE, client=CLIENTS), session("198.51.100.7"), True),
        (Cap(MORE, client=CLIENTS), session("192.0.2.7"), False),
        (Cap(MORE, sender=SENDERS), session(sender="<News@Ours.Example>"), True),
        (Cap(MORE, sender=SENDERS), session(sender="<>"), False),
        (Cap(MORE, listener=frozenset({"submission"})), session(), True),
        (Cap(MORE, listener=frozenset({"mx"})), session(), False),
        (Cap(MORE, client=CLIENTS, sender=SENDERS), session("198.51.100.7"), False),
        (Cap(MORE, client=CLIENTS, sender=SENDERS), session("198.51.100.7", sender="<news@ours.example>"), True),
    ],
)
def test_a_cap_needs_all_of_its_conditions(cap: Cap, seen: object, applies: bool) -> None:
    limits = table(Limits(), cap, listener="submission").of(seen)  # type: ignore[arg-type]
    assert limits.recipients_per_message == (5000 if applies else 100)


def test_the_first_cap_that_applies_wins() -> None:
    first, second = Cap(Limits(1), client=CLIENTS), Cap(Limits(2), client=CLIENTS)
    assert table(Limits(), first, second).of(session("198.51.100.7")).recipients_per_message == 1


def judge(limits: Limits, *rules: type[Rule]) -> Judge:
    names = {rule.name: rule(LimitTable(limits, (), "")) for rule in rules}  # type: ignore[call-arg]
    clauses = tuple(Clause(rule, Action.REJECT, REPLIES[name]) for name, rule in names.items())
    judge = Judge(Generation(Policy(clauses)), StoppedClock())
    judge.connect(Connection())
    return judge


EVENTS = st.lists(
    st.one_of(
        st.sampled_from(["mail", "data", "eoh", "end", "abort", "helo"]),
        st.tuples(st.just("rcpt"), st.integers(0, 3)),
        st.tuples(st.just("body"), st.integers(0, 700)),
    ),
    max_size=60,
)


@given(EVENTS)
def test_no_order_of_events_lets_a_session_send_more_than_its_cap(events: list[object]) -> None:
    judging = judge(Limits(2, 0, 1000, 1500, 3), RecipientsPerMessage, MessageSize, SessionSize, MessagesPerSession)
    sizes: list[int] = []
    size = passed = 0
    for event in events:
        match event:
            case "mail":
                judging.mail("<a@b.example>", (), account="", tls=False)
                size = passed = 0
            case "rcpt", _:
                passed += judging.rcpt(SOMEBODY).reply is None
            case "data":
                judging.data()
            case "eoh":
                judging.end_of_headers()
            case "body", int(octets):
                judging.seen(octets)
                size += octets
            case "end":
                taken = judging.end().action is Action.ACCEPT
                if taken and passed:
                    assert passed <= 2
                    judging.accepted()
                    sizes.append(size)
                judging.abort()
                size = passed = 0
            case "helo":
                judging.helo("client.example")
                size = passed = 0
            case _:
                judging.abort()
                size = passed = 0
    assert len(sizes) <= 3
    assert max(sizes, default=0) <= 1000
    assert sum(sizes) <= 1500
