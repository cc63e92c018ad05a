"""Sendmail on real addresses: only there does it say which of its own a client came to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.sendmailhost import SendmailHost
from rig.network import own_network

CONFIG = """\
domains = ["rig.test"]
[connect]
deny = ["2001:db8:bad::/48", "203.0.113.0/24"]
[relay]
allow = []
interfaces = ["192.0.2.25", "2001:db8::25"]
[listener.guests]
address = ["192.0.2.26"]
[listener.guests.limits]
recipients_per_message = 1
"""
LISTENERS = {"everywhere": "Addr=0.0.0.0", "six": "Family=inet6, Addr=::"}
OPEN = ["250", "250"]


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[SendmailHost]:
    networks = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]
    with own_network(networks), SendmailHost(module_place, CONFIG, listeners=LISTENERS) as running:
        yield running


def codes(host: SendmailHost, listener: str, local: str, source: str, *recipients: str) -> list[str]:
    return [reply[:3] for reply in host.send(*recipients, listener=listener, host=local, source=source)]


@pytest.mark.parametrize(
    ("listener", "local", "source", "heard"),
    [
        ("everywhere", "192.0.2.25", "198.51.100.7", OPEN),
        ("everywhere", "192.0.2.27", "198.51.100.7", ["550"]),
        ("six", "2001:db8::25", "2001:db8::7", OPEN),
        ("six", "2001:db8::27", "2001:db8::7", ["550"]),
        ("inbound", "127.0.0.1", "127.0.0.2", ["550"]),
    ],
)
def test_the_address_that_the_client_came_to_may_open_the_relay(
    host: SendmailHost, listener: str, local: str, source: str, heard: list[str]
) -> None:
    assert codes(host, listener, local, source, "<x@elsewhere.test>") == heard


@pytest.mark.parametrize(
    ("listener", "local", "source"),
    [("everywhere", "192.0.2.27", "203.0.113.9"), ("six", "2001:db8::27", "2001:db8:bad::9")],
)
def test_a_client_is_denied_by_its_address_however_sendmail_writes_it(
    host: SendmailHost, listener: str, local: str, source: str
) -> None:
    assert codes(host, listener, local, source, "<alice@rig.test>") == ["550"]
    host.filter.said(f"client={source} ")


def test_a_section_for_an_address_is_found(host: SendmailHost) -> None:
    two = ["<alice@rig.test>", "<bob@rig.test>"]
    assert codes(host, "everywhere", "192.0.2.26", "198.51.100.7", *two) == ["250", "452", "250"]
    assert codes(host, "everywhere", "192.0.2.27", "198.51.100.7", *two) == ["250", "250", "250"]
