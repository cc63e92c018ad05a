"""Listeners: each connection is judged by the policy of the one with the most conditions that takes it."""

from __future__ import annotations

import pytest

from rig.rules import session
from turfmilter.core.finding import Action
from turfmilter.core.generation import Generation, Listener
from turfmilter.core.mailbox import parse_address
from turfmilter.core.nat import NatAlarm
from turfmilter.core.policy import Clause, Policy
from turfmilter.core.reply import REPLIES
from turfmilter.core.rule import Stage
from turfmilter.core.session import Connection, Recipient
from turfmilter.rules.listener import RequireAuth, RequireTls

LOCAL, OTHER = parse_address("192.0.2.1"), parse_address("192.0.2.2")
assert LOCAL is not None
assert OTHER is not None
SUBMISSION = Listener(ports=frozenset({465, 587}))
HERE = Listener(ports=frozenset({587}), addresses=frozenset({LOCAL}))
NAMED = Listener(ports=frozenset({587}), addresses=frozenset({LOCAL}), daemons=frozenset({"MSA"}))
GENERATION = Generation(
    Policy(()), tuple((one, Policy((), name)) for one, name in [(SUBMISSION, "a"), (HERE, "b"), (NAMED, "c")])
)


@pytest.mark.parametrize(
    ("connection", "listener"),
    [
        (Connection(port=25), ""),
        (Connection(port=587), "a"),
        (Connection(port=465, local_address=LOCAL), "a"),
        (Connection(port=587, local_address=OTHER), "a"),
        (Connection(port=587, local_address=LOCAL), "b"),
        (Connection(port=587, local_address=LOCAL, daemon="MSA"), "c"),
        (Connection(port=587, local_address=LOCAL, daemon="msa"), "b"),
        (Connection(port=25, local_address=LOCAL, daemon="MSA"), ""),
        (Connection(), ""),
    ],
)
def test_the_listener_with_the_most_conditions_wins(connection: Connection, listener: str) -> None:
    assert GENERATION.policy(connection).listener == listener


def test_negotiation_sees_what_any_listener_needs() -> None:
    auth = Policy((Clause(RequireAuth(), Action.REJECT, REPLIES["require_auth"]),), "submission")
    generation = Generation(Policy(()), ((SUBMISSION, auth),))
    assert generation.asks(Stage.RCPT)
    assert not generation.asks(Stage.HEADERS)
    assert generation.does(Action.REJECT)
    assert not generation.does(Action.HOLD, Action.CHANGE)
    assert not generation.measures


@pytest.mark.parametrize(("account", "tls"), [("", False), ("", True), ("anna", False), ("anna", True)])
def test_a_submission_listener_wants_an_account_and_tls(account: str, tls: bool) -> None:
    seen, recipient = session(account=account, tls=tls), Recipient("<r@ours.example>")
    assert (RequireAuth().at_rcpt(seen, recipient) is None) is bool(account)
    assert (RequireTls().at_rcpt(seen, recipient) is None) is tls


def test_the_nat_alarm_goes_off_once_for_a_trusted_client_that_stands_for_most() -> None:
    alarm = NatAlarm()
    bridge, other = parse_address("172.17.0.1"), parse_address("192.0.2.7")
    assert bridge is not None
    assert other is not None
    said = [alarm.seen(bridge, lambda: True) for _ in range(199)]
    assert said == [None] * 199
    alert = alarm.seen(bridge, lambda: True)
    assert alert is not None
    assert alert.startswith("172.17.0.1 may relay and 100% of the connections come from it")
    assert alarm.seen(bridge, lambda: True) is None
    assert alarm.seen(other, lambda: True) is None


@pytest.mark.parametrize(("client", "trusted"), [("172.17.0.1", False), ("127.0.0.1", True), ("::1", True)])
def test_the_nat_alarm_leaves_strangers_and_this_host_alone(client: str, trusted: bool) -> None:
    alarm, address = NatAlarm(), parse_address(client)
    assert address is not None
    assert not any(alarm.seen(address, lambda: trusted) for _ in range(400))
