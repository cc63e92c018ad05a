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
[reverse_name]
check = "stamp"
remove_forged = true
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


FORGED = [
    b"Authentication-Results: mx.rig.test; iprev=pass",
    b"Authentication-Results: other.test; spf=pass",
    b"authentication-results:\r\n\t(x) MX.rig.test 1; dkim=pass",
]


def results(host: SendmailHost, source: str) -> list[bytes]:
    """The first lines of the results in the one message that was delivered; ours is on top of all fields."""
    message = b"\r\n".join([*FORGED, b"From: a@out.test", b"", b"hello", b""])
    host.send("<alice@rig.test>", listener="everywhere", host="192.0.2.25", source=source, message=message)
    (delivery,) = host.delivered()
    above, _, _ = delivery.data.partition(b"\r\n\r\n")
    return [line for line in above.split(b"\r\n") if line.lower().startswith((b"authentication-", b"received:"))]


def test_results_that_bear_our_name_are_removed_and_ours_is_on_top(host: SendmailHost) -> None:
    stamp, received, *others = results(host, "198.51.100.7")
    assert stamp == b"Authentication-Results: mx.rig.test;"
    assert received.startswith(b"Received:")
    assert others == FORGED[1:2]


@pytest.mark.parametrize("source", ["127.0.0.1", "192.0.2.25"])
def test_results_stay_and_none_is_added_when_this_host_sends_mail_to_itself(host: SendmailHost, source: str) -> None:
    received, *others = results(host, source)
    assert received.startswith(b"Received:")
    assert others == [*FORGED[:2], b"authentication-results:"]


def test_more_results_than_can_be_removed_are_refused(host: SendmailHost) -> None:
    message = b"".join([FORGED[0] + b"\r\n"] * 201) + b"\r\nhello\r\n"
    codes = host.send(
        "<alice@rig.test>", listener="everywhere", host="192.0.2.25", source="198.51.100.7", message=message
    )
    assert codes[-1] == "550 5.7.1 too many Authentication-Results fields"


def test_a_section_for_an_address_is_found(host: SendmailHost) -> None:
    two = ["<alice@rig.test>", "<bob@rig.test>"]
    assert codes(host, "everywhere", "192.0.2.26", "198.51.100.7", *two) == ["250", "452", "250"]
    assert codes(host, "everywhere", "192.0.2.27", "198.51.100.7", *two) == ["250", "250", "250"]
