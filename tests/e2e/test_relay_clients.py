"""Whom the relay rule lets through: addresses, names, local addresses and accounts, as Postfix shows them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost
from rig.dnsserver import Conduct
from rig.zone import claimed, named

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
# What each client is called by DNS: the last number of its address says which case it is.
ZONE = (
    named("203.0.113.11", "mail.friends.test")
    + claimed("203.0.113.12", "mail.friends.test")
    + named("203.0.113.14", "mail.out.test", "Two.Friends.Test")
    + claimed("203.0.113.15", "broken.friends.test")
    + named("2001:db9::11", "six.friends.test")
    + claimed("2001:db9::12", "six.friends.test")
    + named("192.0.2.21", "mail.jail.test")
    + claimed("192.0.2.22", "mail.jail.test")
    + claimed("192.0.2.23", "free.test")
    + claimed("192.0.2.26", "broken.jail.test")
)
BROKEN = {
    "broken.friends.test": "A",
    "broken.jail.test": "A",
    "16.113.0.203.in-addr.arpa": "PTR",
    "25.2.0.192.in-addr.arpa": "PTR",
}
TAKEN = "250 2.1.5 Ok"
REFUSED = "550 5.7.1 relaying prohibited"
LATER = "451 4.7.1 cannot verify the client at the moment, try again later"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    filters = {
        "inbound": LISTS,
        "addresses": ADDRESSES,
        "deny-name": DENY_NAME,
        "accounts": ACCOUNTS,
        "nobody": NOBODY,
        "tls": TLS,
    }
    with PostfixHost(module_place, filters, accounts={"alice": "secret"}, zone=ZONE) as running:
        for name, kind in BROKEN.items():
            running.dns.tell(Conduct.SERVFAIL, name, kind)
        yield running


def reply(host: PostfixHost, listener: str = "inbound", auth: str = "", **client: str) -> str:
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
def test_the_address_of_a_client_decides(host: PostfixHost, client: str, heard: str) -> None:
    assert reply(host, ADDR=client) == heard


@pytest.mark.parametrize(
    ("name", "heard"),
    [
        ("mail.friends.test", TAKEN),
        ("friends.test", TAKEN),
        ("MAIL.Friends.TEST", TAKEN),
        ("badfriends.test", REFUSED),
        ("one.test", TAKEN),
        ("mail.one.test", REFUSED),
        ("evil.friends.test", REFUSED),
        ("x.evil.friends.test", TAKEN),
    ],
)
def test_an_allowed_name_is_one_that_postfix_has_confirmed(host: PostfixHost, name: str, heard: str) -> None:
    assert reply(host, ADDR="203.0.113.9", NAME=name, REVERSE_NAME=name) == heard


@pytest.mark.parametrize(
    ("client", "heard"),
    [
        ("203.0.113.11", TAKEN),
        ("203.0.113.12", REFUSED),
        ("203.0.113.13", REFUSED),
        ("203.0.113.14", TAKEN),
        ("203.0.113.15", LATER),
        ("203.0.113.16", LATER),
        ("IPV6:2001:db9::11", TAKEN),
        ("IPV6:2001:db9::12", REFUSED),
    ],
)
def test_or_that_dns_confirms(host: PostfixHost, client: str, heard: str) -> None:
    assert reply(host, ADDR=client) == heard


@pytest.mark.parametrize(
    ("client", "heard"),
    [
        ("192.0.2.21", REFUSED),
        ("192.0.2.22", REFUSED),
        ("192.0.2.23", TAKEN),
        ("192.0.2.24", TAKEN),
        ("192.0.2.25", LATER),
        ("192.0.2.26", REFUSED),
    ],
)
def test_a_denied_name_may_be_only_claimed(host: PostfixHost, client: str, heard: str) -> None:
    assert reply(host, "deny-name", ADDR=client) == heard


@pytest.mark.parametrize(("client", "heard"), [("192.0.2.25", TAKEN), ("192.0.2.66", REFUSED), ("192.0.3.25", REFUSED)])
def test_lists_of_addresses_ask_for_no_name(host: PostfixHost, client: str, heard: str) -> None:
    name = ip_address(client).reverse_pointer
    asked = host.dns.count(name, "PTR")
    assert reply(host, "addresses", ADDR=client) == heard
    assert host.dns.count(name, "PTR") == asked


@pytest.mark.parametrize(
    ("local", "heard"),
    [("203.0.113.25", TAKEN), ("203.0.113.26", REFUSED), ("IPV6:2001:db8::25", TAKEN), ("IPV6:2001:db8::26", REFUSED)],
)
def test_the_local_address_decides(host: PostfixHost, local: str, heard: str) -> None:
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
    host: PostfixHost, listener: str, account: str, heard: str
) -> None:
    assert reply(host, listener, ADDR="203.0.113.9", LOGIN=account) == heard


def test_the_deny_list_comes_before_authentication(host: PostfixHost) -> None:
    assert reply(host, ADDR="192.0.2.128", LOGIN="alice") == REFUSED


def test_a_denial_names_client_name_account_and_recipient(host: PostfixHost) -> None:
    reply(host, "accounts", ADDR="203.0.113.77", NAME="mail.friends.test", LOGIN="mallory")
    said = host.filters["accounts"].said("203.0.113.77")
    expected = "client=203.0.113.77 name=mail.friends.test helo=client.out.test account=mallory listener=mx.rig.test "
    assert said.startswith(f"NOQUEUE: {expected}sender=anna@out.test nrcpt=1 rcpt=x@elsewhere.test verdict=reject ")
    assert f' rule=relay reply="{REFUSED}" ' in said
