"""Other rules for another listener: at ports and addresses that only XCLIENT can show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost

GENERAL = """\
domains = ["rig.test"]
[relay]
allow = []
[limits]
recipients_per_message = 1
[turf]
tables = ["@turf.test"]
directory = "$quarantine"
"""
BY_PORT = """\
[listener.by-port]
port = [465, 587]
require_auth = true

[listener.by-both]
address = "203.0.113.25"
port = 587
require_tls = true

[listener.partners]
port = 2525
[listener.partners.connect]
default = "deny"
allow = ["192.0.2.0/24"]
"""
BY_ADDRESS = """\
[listener.by-address]
address = ["203.0.113.25", "2001:db8::25"]
[listener.by-address.relay]
default = "allow"
[listener.by-address.turf]
mode = "off"
"""
FILTERS = {"inbound": GENERAL + BY_PORT, "two-hosts": GENERAL + BY_ADDRESS}
TAKEN = "250 2.1.5 Ok"
NO_RELAY = "550 5.7.1 relaying prohibited"
AUTH_FIRST = "530 5.7.0 authentication required"
TLS_FIRST = "530 5.7.0 must issue a STARTTLS command first"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(module_place, FILTERS) as running:
        yield running


def reply(host: PostfixHost, recipient: str = "<bob@rig.test>", sender: str = "<anna@out.test>", **client: str) -> str:
    """What a client hears that sends to one recipient; DESTADDR and DESTPORT are what it connected to."""
    return host.send(recipient, sender=sender, **{"ADDR": "203.0.113.9", **client})[0]


@pytest.mark.parametrize(
    ("filtered", "local", "port", "listener", "heard"),
    [
        ("inbound", "192.0.2.25", "25", "mx.rig.test", TAKEN),
        ("inbound", "192.0.2.25", "587", "by-port", AUTH_FIRST),
        ("inbound", "192.0.2.25", "465", "by-port", AUTH_FIRST),
        ("inbound", "203.0.113.25", "465", "by-port", AUTH_FIRST),
        ("inbound", "203.0.113.25", "587", "by-both", TLS_FIRST),
        ("inbound", "192.0.2.25", "2525", "partners", "550 5.7.1 connection refused by local policy"),
        ("two-hosts", "203.0.113.25", "25", "by-address", TAKEN),
        ("two-hosts", "IPV6:2001:db8::25", "25", "by-address", TAKEN),
        ("two-hosts", "203.0.113.26", "25", "mx.rig.test", NO_RELAY),
    ],
)
def test_a_listener_is_known_by_port_and_address_and_the_most_conditions_win(
    host: PostfixHost, filtered: str, local: str, port: str, listener: str, heard: str
) -> None:
    to = "<x@elsewhere.test>" if filtered == "two-hosts" else "<bob@rig.test>"
    assert reply(host, to, listener=filtered, DESTADDR=local, DESTPORT=port) == heard
    host.filters[filtered].said(f" client=203.0.113.9 .*listener={listener} ")


def test_postfix_sends_every_macro_that_listeners_need(host: PostfixHost) -> None:
    for name, running in host.filters.items():
        reply(host, "<last@rig.test>", listener=name)
        running.said("rcpt=last@rig.test")
        assert "the MTA does not send" not in running.daemon.log()


def test_a_listener_may_relay_what_another_may_not(host: PostfixHost) -> None:
    assert reply(host, "<x@elsewhere.test>", listener="two-hosts", DESTADDR="203.0.113.25") == TAKEN
    assert reply(host, "<x@elsewhere.test>", listener="two-hosts", DESTADDR="203.0.113.26") == NO_RELAY
    assert host.reached() == ["x@elsewhere.test"]


def test_a_listener_may_let_pass_what_another_holds(host: PostfixHost) -> None:
    reply(host, "<passed@rig.test>", "<x@turf.test>", listener="two-hosts", DESTADDR="203.0.113.25")
    reply(host, "<held@rig.test>", "<x@turf.test>", listener="two-hosts", DESTADDR="203.0.113.26")
    assert host.reached() == ["passed@rig.test"]
    assert [held.recipients for held in host.filters["two-hosts"].held()] == [["held@rig.test"]]


def test_a_listener_may_be_for_some_clients_only(host: PostfixHost) -> None:
    assert reply(host, ADDR="192.0.2.1", DESTPORT="2525") == TAKEN


def test_an_account_is_enough_where_authentication_is_required(host: PostfixHost) -> None:
    assert reply(host, "<x@elsewhere.test>", DESTPORT="587", LOGIN="alice") == TAKEN
