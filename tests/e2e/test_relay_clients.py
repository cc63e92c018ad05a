"""Whom the relay rule lets through: addresses, names, local addresses and accounts, as Postfix shows them."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.mailhost import Mailhost

LISTS = """\
domains = ["rig.test"]
[relay]
deny = ["192.0.2.128/25", "!192.0.2.200", "2001:db8:bad::/48", "=evil.friends.test", "jail.test"]
allow = ["192.0.2.0/24", "198.51.100.10-198.51.100.20", "!198.51.100.15", "2001:db8::/32", "friends.test", "=one.test"]
interfaces = ["203.0.113.25", "2001:db8::25"]
"""
ADDRESSES = """\
domains = ["rig.test"]
[relay]
deny = ["192.0.2.66"]
allow = ["192.0.2.0/24"]
"""
DENY_NAME = """\
domains = ["rig.test"]
[relay]
deny = ["jail.test"]
allow = ["192.0.2.0/24"]
"""
ACCOUNTS = """\
domains = ["rig.test"]
[relay]
allow = []
authenticated = ["alice", "news@out.test"]
"""
NOBODY = """\
domains = ["rig.test"]
[relay]
allow = []
authenticated = false
"""
TLS = """\
domains = ["rig.test"]
[relay]
allow = []
authenticated_needs_tls = true
"""
TAKEN = "250 2.1.5 Ok"
REFUSED = "550 5.7.1 relaying prohibited"
LATER = "451 4.7.1 cannot verify the client at the moment, try again later"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[Mailhost]:
    filters = {
        "inbound": LISTS,
        "addresses": ADDRESSES,
        "deny-name": DENY_NAME,
        "accounts": ACCOUNTS,
        "nobody": NOBODY,
        "tls": TLS,
    }
    # Without a certificate there is still encryption, for clients that ask for none.
    parameters = {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": "none"}
    with Mailhost(module_place, filters, parameters=parameters) as running:
        yield running


def reply(host: Mailhost, listener: str = "inbound", auth: str = "", **client: str) -> str:
    """What a client hears that sends to elsewhere."""
    with host.client(listener, **client) as connection:
        connection.mail("<anna@out.test>", *([f"AUTH={auth}"] if auth else []))
        return str(connection.rcpt("<x@elsewhere.test>"))


@pytest.mark.parametrize(
    ("client", "heard"),
    [
        ("192.0.2.1", TAKEN),
        ("192.0.2.127", TAKEN),
        ("192.0.2.128", REFUSED),
        ("192.0.2.200", TAKEN),
        ("192.0.3.1", REFUSED),
        ("198.51.100.10", TAKEN),
        ("198.51.100.15", REFUSED),
        ("198.51.100.20", TAKEN),
        ("198.51.100.21", REFUSED),
        ("IPV6:2001:db8::7", TAKEN),
        ("IPV6:2001:db8:bad::7", REFUSED),
        ("IPV6:2001:db9::7", REFUSED),
        ("IPV6:::ffff:192.0.2.1", TAKEN),
        ("IPV6:::ffff:192.0.2.128", REFUSED),
        ("127.0.0.1", REFUSED),
        ("IPV6:::1", REFUSED),
    ],
)
def test_the_address_of_a_client_decides(host: Mailhost, client: str, heard: str) -> None:
    assert reply(host, ADDR=client) == heard


@pytest.mark.parametrize(
    ("name", "claimed", "heard"),
    [
        ("mail.friends.test", "mail.friends.test", TAKEN),
        ("friends.test", "friends.test", TAKEN),
        ("MAIL.Friends.TEST", "MAIL.Friends.TEST", TAKEN),
        ("badfriends.test", "badfriends.test", REFUSED),
        ("one.test", "one.test", TAKEN),
        ("mail.one.test", "mail.one.test", REFUSED),
        ("evil.friends.test", "evil.friends.test", REFUSED),
        ("x.evil.friends.test", "x.evil.friends.test", TAKEN),
        ("[UNAVAILABLE]", "mail.friends.test", REFUSED),
        ("[UNAVAILABLE]", "[UNAVAILABLE]", REFUSED),
        ("[TEMPUNAVAIL]", "[TEMPUNAVAIL]", LATER),
    ],
)
def test_an_allowed_name_must_be_confirmed(host: Mailhost, name: str, claimed: str, heard: str) -> None:
    assert reply(host, ADDR="203.0.113.9", NAME=name, REVERSE_NAME=claimed) == heard


@pytest.mark.parametrize(
    ("name", "claimed", "heard"),
    [
        ("mail.jail.test", "mail.jail.test", REFUSED),
        ("[UNAVAILABLE]", "mail.jail.test", REFUSED),
        ("[TEMPUNAVAIL]", "mail.jail.test", REFUSED),
        ("[UNAVAILABLE]", "free.test", TAKEN),
        ("[UNAVAILABLE]", "[UNAVAILABLE]", TAKEN),
        ("[TEMPUNAVAIL]", "[TEMPUNAVAIL]", LATER),
    ],
)
def test_a_denied_name_may_be_only_claimed(host: Mailhost, name: str, claimed: str, heard: str) -> None:
    assert reply(host, "deny-name", ADDR="192.0.2.1", NAME=name, REVERSE_NAME=claimed) == heard


@pytest.mark.parametrize(("client", "heard"), [("192.0.2.1", TAKEN), ("192.0.2.66", REFUSED), ("192.0.3.1", REFUSED)])
def test_a_name_that_cannot_be_found_out_is_nothing_to_lists_of_addresses(
    host: Mailhost, client: str, heard: str
) -> None:
    assert reply(host, "addresses", ADDR=client, NAME="[TEMPUNAVAIL]", REVERSE_NAME="[TEMPUNAVAIL]") == heard


@pytest.mark.parametrize(
    ("local", "heard"),
    [("203.0.113.25", TAKEN), ("203.0.113.26", REFUSED), ("IPV6:2001:db8::25", TAKEN), ("IPV6:2001:db8::26", REFUSED)],
)
def test_the_local_address_decides(host: Mailhost, local: str, heard: str) -> None:
    assert reply(host, ADDR="203.0.113.9", DESTADDR=local) == heard


@pytest.mark.parametrize(
    ("listener", "account", "heard"),
    [
        ("inbound", "alice", TAKEN),
        ("inbound", "anybody@at.all", TAKEN),
        ("accounts", "alice", TAKEN),
        ("accounts", "ALICE", TAKEN),
        ("accounts", "alice@any.realm", TAKEN),
        ("accounts", "news@out.test", TAKEN),
        ("accounts", "news@elsewhere.test", REFUSED),
        ("accounts", "news", REFUSED),
        ("accounts", "malice", REFUSED),
        ("accounts", "mallory@alice", REFUSED),
        ("nobody", "alice", REFUSED),
        ("tls", "alice", REFUSED),
    ],
)
def test_an_authenticated_client_relays_as_its_account_may(
    host: Mailhost, listener: str, account: str, heard: str
) -> None:
    assert reply(host, listener, ADDR="203.0.113.9", LOGIN=account) == heard


def test_the_deny_list_comes_before_authentication(host: Mailhost) -> None:
    assert reply(host, ADDR="192.0.2.128", LOGIN="alice") == REFUSED


def test_a_claim_to_be_authenticated_gives_nothing(host: Mailhost) -> None:
    assert reply(host, "accounts", auth="alice") == REFUSED
    assert reply(host, "accounts", auth="news@out.test") == REFUSED


def test_authentication_that_needs_tls_counts_with_tls(host: Mailhost) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # later versions know no encryption without a certificate
    context.set_ciphers("aNULL:@SECLEVEL=0")
    with smtplib.SMTP("127.0.0.1", host.postfix.ports["tls"]) as client:
        client.starttls(context=context)
        client.ehlo()
        assert client.docmd("XCLIENT", "LOGIN=alice ADDR=203.0.113.9")[0] == 220
        client.ehlo()
        client.mail("anna@out.test")
        assert client.rcpt("x@elsewhere.test") == (250, b"2.1.5 Ok")


def test_a_denial_names_client_name_account_and_recipient(host: Mailhost) -> None:
    reply(host, "accounts", ADDR="203.0.113.77", NAME="mail.friends.test", LOGIN="mallory")
    said = host.filters["accounts"].said("203.0.113.77")
    expected = "client=203.0.113.77 name=mail.friends.test helo=client.out.test account=mallory listener=mx.rig.test "
    assert said.startswith(f"NOQUEUE: {expected}sender=anna@out.test nrcpt=1 rcpt=x@elsewhere.test verdict=reject ")
    assert f' rule=relay reply="{REFUSED}" ' in said
