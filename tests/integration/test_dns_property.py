"""Whatever a zone says, a client's names are host names, and the confirmed ones lead back to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import count

import dns.name
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.dnsserver import DnsServer
from turfmilter.core.session import ClientNames
from turfmilter.stores.dns import DnsNames

HOST_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")

clients = (ip_address(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in count())  # so that no answer is known already
labels = st.one_of(
    st.binary(min_size=1, max_size=63),
    st.text("abcXYZ019-_", min_size=1, max_size=63).map(str.encode),
)
targets = st.lists(labels, min_size=1, max_size=4).filter(lambda name: sum(map(len, name)) + len(name) < 255)


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


@pytest.fixture(scope="module")
def names(server: DnsServer) -> DnsNames:
    return DnsNames([server.address], timeout=30.0)


@settings(deadline=None)
@given(targets=st.lists(st.tuples(targets, st.booleans()), max_size=12))
def test_names_of_any_bytes(server: DnsServer, names: DnsNames, targets: list[tuple[list[bytes], bool]]) -> None:
    client = next(clients)
    leading_back = set()
    for target, leads_back in targets:
        name = dns.name.Name((*target, b""))
        server.add(f"{client.reverse_pointer} 300 PTR {name}")
        if leads_back:
            server.add(f"{name} 300 A {client}")
            leading_back.add(name)
    found = names.begin(client).result()
    assert not found.failed
    assert len(found.claimed) <= 10
    assert all(HOST_NAME.fullmatch(name) and not name.rpartition(".")[2].isdigit() for name in found.claimed)
    assert found.confirmed == tuple(name for name in found.claimed if dns.name.from_text(name) in leading_back)


@settings(deadline=None)
@given(
    zone=st.dictionaries(st.sampled_from("abcdef"), st.sets(st.integers(0, 3)), max_size=6),
    pointing=st.sets(st.sampled_from("abcdef")),
)
def test_names_as_a_naive_reader_of_the_zone_finds_them(
    server: DnsServer, names: DnsNames, zone: dict[str, set[int]], pointing: set[str]
) -> None:
    client = next(clients)
    domain = f"{int(client)}.example"
    for name, offsets in zone.items():
        for offset in offsets:
            server.add(f"{name}.{domain} 300 A {client + offset}")
    for name in pointing:
        server.add(f"{client.reverse_pointer} 300 PTR {name}.{domain}")
    found = names.begin(client).result()
    assert set(found.claimed) == {f"{name}.{domain}" for name in pointing}
    assert set(found.confirmed) == {f"{name}.{domain}" for name in pointing if 0 in zone.get(name, ())}
    assert found == ClientNames(found.confirmed, found.claimed)
