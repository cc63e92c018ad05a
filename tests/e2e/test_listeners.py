"""Other rules for another listener: told apart by port, address and daemon; a submission service with TLS and AUTH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.mailhost import MESSAGE, Mailhost

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
BY_NAME = """\
[[cap]]
authenticated = ["news"]
listener = "submission"
recipients_per_message = 3

[listener.submission]
daemon = "submission"
require_auth = true
require_tls = true
[listener.submission.limits]
recipients_per_message = 2
"""
FILTERS = {"inbound": GENERAL + BY_PORT, "two-hosts": GENERAL + BY_ADDRESS, "submission": GENERAL + BY_NAME}
ACCOUNTS = {"alice": "wonderland", "news": "today's"}
TAKEN = "250 2.1.5 Ok"
NO_RELAY = "550 5.7.1 relaying prohibited"
AUTH_FIRST = "530 5.7.0 authentication required"
TLS_FIRST = "530 5.7.0 must issue a STARTTLS command first"
TOO_MANY = "452 4.5.3 too many recipients in this message, send it again for the others"
MANY = [f"<r{number}@elsewhere.test>" for number in range(4)]


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[Mailhost]:
    listeners = {"submission": {"milter_macro_daemon_name": "submission"}}
    with Mailhost(module_place, FILTERS, listeners=listeners, accounts=ACCOUNTS) as running:
        yield running


def reply(host: Mailhost, recipient: str = "<bob@rig.test>", sender: str = "<anna@out.test>", **client: str) -> str:
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
def test_a_listener_is_told_by_port_and_address_and_the_most_conditions_win(
    host: Mailhost, filtered: str, local: str, port: str, listener: str, heard: str
) -> None:
    to = "<x@elsewhere.test>" if filtered == "two-hosts" else "<bob@rig.test>"
    assert reply(host, to, listener=filtered, DESTADDR=local, DESTPORT=port) == heard
    host.filters[filtered].said(f" client=203.0.113.9 .*listener={listener} ")


def test_postfix_sends_every_macro_that_listeners_need(host: Mailhost) -> None:
    for name, running in host.filters.items():
        reply(host, "<last@rig.test>", listener=name)
        running.said("rcpt=last@rig.test")
        assert "the MTA sends no" not in running.daemon.log()


def test_a_listener_may_relay_what_another_may_not(host: Mailhost) -> None:
    assert reply(host, "<x@elsewhere.test>", listener="two-hosts", DESTADDR="203.0.113.25") == TAKEN
    assert reply(host, "<x@elsewhere.test>", listener="two-hosts", DESTADDR="203.0.113.26") == NO_RELAY
    assert host.reached() == ["x@elsewhere.test"]


def test_a_listener_may_let_pass_what_another_holds(host: Mailhost) -> None:
    reply(host, "<passed@rig.test>", "<x@turf.test>", listener="two-hosts", DESTADDR="203.0.113.25")
    reply(host, "<held@rig.test>", "<x@turf.test>", listener="two-hosts", DESTADDR="203.0.113.26")
    assert host.reached() == ["passed@rig.test"]
    assert [held.recipients for held in host.filters["two-hosts"].held()] == [["held@rig.test"]]


def test_a_listener_may_be_for_some_clients_only(host: Mailhost) -> None:
    assert reply(host, ADDR="192.0.2.1", DESTPORT="2525") == TAKEN


def test_an_account_is_enough_where_authentication_is_required(host: Mailhost) -> None:
    assert reply(host, "<x@elsewhere.test>", DESTPORT="587", LOGIN="alice") == TAKEN


def test_the_submission_service_wants_tls_and_then_authentication(host: Mailhost) -> None:
    with host.client("submission") as client:
        client.mail("<alice@rig.test>")
        assert client.rcpt("<bob@rig.test>").code == 530
        client.starttls(host.postfix.certificate)
        client.ehlo()
        client.mail("<alice@rig.test>")
        assert str(client.rcpt("<bob@rig.test>")) == AUTH_FIRST
        client.command("RSET")
        assert client.auth("alice", "wrong").code == 535
        client.mail("<alice@rig.test>")
        assert str(client.rcpt("<bob@rig.test>")) == AUTH_FIRST
    assert host.reached() == []


def test_a_login_without_tls_is_not_enough_there(host: Mailhost) -> None:
    assert host.send("<bob@rig.test>", listener="submission", LOGIN="alice") == [TLS_FIRST]


@pytest.mark.parametrize(("account", "taken"), [("alice", 2), ("news", 3)])
def test_whoever_logged_in_relays_to_as_many_as_the_listener_or_a_cap_says(
    host: Mailhost, account: str, taken: int
) -> None:
    with host.client("submission") as client:
        client.starttls(host.postfix.certificate)
        client.ehlo()
        assert str(client.auth(account, ACCOUNTS[account])) == "235 2.7.0 Authentication successful"
        replies = client.transaction(f"<{account}@rig.test>", *MANY, message=MESSAGE)
    assert [str(rcpt) for rcpt in replies[1:-1]] == [TAKEN] * taken + [TOO_MANY] * (4 - taken)
    assert [f"<{recipient}>" for recipient in host.reached()] == MANY[:taken]
    said = host.filters["submission"].said(f"account={account} .* verdict=accept")
    assert f" account={account} listener=submission sender={account}@rig.test nrcpt={taken} " in said


def test_the_cap_of_a_listener_is_not_that_of_another(host: Mailhost) -> None:
    replies = host.send("<a@rig.test>", "<b@rig.test>", ADDR="203.0.113.9", LOGIN="news")
    assert replies[:2] == [TAKEN, TOO_MANY]
