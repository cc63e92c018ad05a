"""A client's names are looked up if they could change what is done about it, and else DNS is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from rig.dnsserver import DnsServer
from rig.filter import Filter, Filters

RULES = 'domains = ["rig.test"]\nauthserv_id = "rig.test"\n'
CONNECT = RULES + '[connect]\ndeny = ["bad.test", "192.0.2.99", "198.51.100.0/24"]\nallow = ["192.0.2.8"]\n'
AT_ONCE = CONNECT + 'reply_at = "connect"\n'
ALLOWED = RULES + '[relay]\nallow = ["office.test", "192.0.2.8", "!192.0.2.7", "127.0.0.0/8"]\n'
DENIED = RULES + '[relay]\ndefault = "allow"\ndeny = ["bad.test", "!192.0.2.8", "192.0.2.99"]\n'
BOTH = RULES + '[relay]\nallow = ["office.test", "192.0.2.6"]\ndeny = ["192.0.2.99", "!192.0.2.8"]\n'
OPEN = RULES + '[relay]\ndefault = "allow"\nallow = ["office.test"]\ndeny = ["192.0.2.99"]\n'
INSIDE = ALLOWED + 'interfaces = ["10.0.0.1"]\n'
NO_ROUTING = ALLOWED + "routing = false\n"
REQUIRED = RULES + '[relay]\nallow = ["192.0.2.8", "!192.0.2.7"]\n[reverse_name]\ncheck = "require"\n'
STAMPED = RULES + '[reverse_name]\ncheck = "stamp"\n'
LISTENERS = RULES + '[listener.inside]\nport = 26\n[listener.inside.connect]\ndeny = ["bad.test"]\n'
ON_TRIAL = 'mode = "trial"\n' + CONNECT
EXPIRED = RULES + '[relay]\nallow = ["office.test", "192.0.2.8 expires=2020-01-31"]\n'
SPARED = RULES + '[turf]\ndiscard = true\nspare_clients = ["office.test", "192.0.2.8", "!192.0.2.7"]\n'
LISTED = SPARED + 'tables = ["@out.test"]\n'
NOT_LISTED = SPARED + 'tables = ["@elsewhere.test", "!a@out.test"]\nunreadable_author = "off"\n'

OTHER = "192.0.2.66"


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


def _pointer(address: str) -> str:
    return ip_address(address).reverse_pointer


def send(turf: Filter, address: str, port: int = 25) -> None:
    """A client sends to us and elsewhere."""
    with turf.client() as client:
        client.negotiate()
        macros = {"daemon_port": str(port), "daemon_addr": "10.0.0.1" if port == 26 else "192.0.2.25"}
        if client.connect(f"[{address}]", address, macros=macros).goes_on:
            client.helo("x.test")
            client.message("<a@out.test>", ["<b@rig.test>", "<c@elsewhere.test>"])
        client.quit()


@pytest.mark.parametrize(
    ("settings", "port", "looked_up"),
    [
        (CONNECT, 25, {"192.0.2.99": False, "192.0.2.8": False, "198.51.100.1": False, OTHER: True}),
        (AT_ONCE, 25, {"192.0.2.99": False, "192.0.2.8": False, "198.51.100.1": False, OTHER: True}),
        (ON_TRIAL, 25, {"192.0.2.99": False, "192.0.2.8": False, OTHER: True}),
        (ALLOWED, 25, {"192.0.2.8": False, "192.0.2.7": False, "127.0.0.1": False, OTHER: True}),
        (DENIED, 25, {"192.0.2.8": False, "192.0.2.99": False, OTHER: True}),
        (BOTH, 25, {"192.0.2.99": False, "192.0.2.6": False, "192.0.2.8": True, OTHER: True}),
        (OPEN, 25, {"192.0.2.99": False, OTHER: False}),
        (INSIDE, 26, {OTHER: False}),
        (INSIDE, 25, {OTHER: True}),
        (NO_ROUTING, 25, {OTHER: False}),
        (REQUIRED, 25, {"192.0.2.8": False, "192.0.2.7": True, OTHER: True}),
        (STAMPED, 25, {"127.0.0.1": False, "192.0.2.25": False, OTHER: True}),
        (LISTENERS, 25, {OTHER: False}),
        (LISTENERS, 26, {OTHER: True}),
        (EXPIRED, 25, {"192.0.2.8": True}),
        (LISTED, 25, {"192.0.2.8": False, "192.0.2.7": False, OTHER: True}),
        (NOT_LISTED, 25, {OTHER: False}),
        (RULES, 25, {OTHER: False}),
    ],
)
def test_dns_is_asked_about_clients_that_a_name_could_decide_about(
    filters: Filters, dns: DnsServer, settings: str, port: int, looked_up: dict[str, bool]
) -> None:
    host, udp = dns.address
    turf = filters(f'{settings}[dns]\nnameservers = ["{host}:{udp}"]\n')
    before = {address: dns.count(_pointer(address), "PTR") for address in looked_up}
    for address in looked_up:
        send(turf, address, port)
    assert len(turf.records()) >= len(looked_up) * ("connect" not in settings)  # all is over
    assert {address: dns.count(_pointer(address), "PTR") > count for address, count in before.items()} == looked_up


@pytest.mark.parametrize("settings", [CONNECT, ALLOWED, DENIED, REQUIRED, STAMPED])
def test_the_lookup_starts_when_the_client_connects(filters: Filters, dns: DnsServer, settings: str) -> None:
    host, port = dns.address
    turf = filters(f'{settings}[dns]\nnameservers = ["{host}:{port}"]\n')
    before = dns.count(_pointer("203.0.113.7"), "PTR")
    with turf.session("[203.0.113.7]", "203.0.113.7"):
        dns.wait_for(_pointer("203.0.113.7"), "PTR", before + 1)
