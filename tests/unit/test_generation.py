"""Listeners: each connection is judged by the policy of the one with the most conditions that it meets."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from rig.rules import session
from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.finding import Action
from turfmilter.core.policy import Clause, Generation, Listener, Policy
from turfmilter.core.reply import REPLIES
from turfmilter.core.rule import Stage
from turfmilter.core.session import Connection, Recipient
from turfmilter.mta.nat import NatAlarm, key
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


def test_the_nat_alarm_is_raised_once_for_a_trusted_client_that_makes_most_connections() -> None:
    alarm = NatAlarm()
    bridge, other = parse_address("172.17.0.1"), parse_address("192.0.2.7")
    assert bridge is not None
    assert other is not None
    said = [alarm.seen(bridge, lambda: True) for _ in range(199)]
    assert said == [None] * 199
    alert = alarm.seen(bridge, lambda: True)
    assert alert is not None
    assert alert.startswith("172.17.0.1 may relay, and 100% of the connections come from it")
    assert alarm.seen(bridge, lambda: True) is None
    assert alarm.seen(other, lambda: True) is None


@pytest.mark.parametrize(("client", "trusted"), [("172.17.0.1", False), ("127.0.0.1", True), ("::1", True)])
def test_the_nat_alarm_leaves_strangers_and_this_host_alone(client: str, trusted: bool) -> None:
    alarm, address = NatAlarm(), parse_address(client)
    assert address is not None
    assert not any(alarm.seen(address, lambda: trusted) for _ in range(400))


@pytest.mark.parametrize(
    "network", ["2001:db8::", "2001:db8:ffff:1::", "fd00::", "::"], ids=lambda network: network.strip(":")
)
def test_nobody_can_choose_addresses_that_are_counted_under_one_hash(network: str) -> None:
    first, modulus = int(ip_address(network)), (1 << 61) - 1
    # A /48 has half a million of each remainder, which is the hash of a number (sys.hash_info.modulus).
    chosen = [ip_address(first + number * modulus) for number in range(1, 1001)]
    assert len({hash(int(address)) for address in chosen}) == 1
    assert len({hash(key(address)) for address in chosen}) == len(chosen)


def test_every_address_is_counted_for_itself() -> None:
    alarm = NatAlarm()
    bridge = ip_address("172.17.0.1")
    others = [ip_address(int(bridge) + number) for number in range(1, 200)]
    said = [alarm.seen(address, lambda: True) for address in (*others, *[bridge] * 199)]
    assert said == [None] * len(said)
    assert alarm.seen(bridge, lambda: True) is not None  # 200 of 399
