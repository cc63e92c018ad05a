"""An imported RelayFlags decides as Exchange's six steps do, for every client, local address and account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.drafts import loaded, relay_rule
from rig.registry import export
from rig.rules import TODAY, Unasked
from turfmilter.core.session import Connection, Recipient, Session
from turfmilter.importers.exchange import read_exchange
from turfmilter.importers.regfile import read_reg
from turfmilter.rules.relay import Relay

OUTSIDE = Recipient("<x@there.example>", (), "x@there.example")
OURS = Recipient("<alice@ours.example>", (), "alice@ours.example")
CLIENTS = ["192.0.2.1", "192.0.2.17", "192.0.3.1", "192.1.2.1", "198.51.100.7", "2001:db8::1"]
HERE = ["10.0.0.1", "10.0.0.2"]
MASKS = ["", "255.255.255.255", "255.255.255.0", "255.255.0.0", "255.0.255.0", "255.255.255.240", "0.0.0.0"]


@dataclass(frozen=True)
class Visit:
    """One attempt to relay."""

    client: str
    here: str
    account: str


def relays(flags: int, deny: Sequence[str], allow: Sequence[str], local: Sequence[str], visit: Visit) -> bool:
    """The six steps, as slowly as possible (Q193922, Q206968)."""
    bits = f"{flags:04b}"
    if bits == "0000":
        return True
    if bits[3] == "1" and any(on(entry, visit.client) for entry in deny):
        return False
    if bits[2] == "1" and any(on(entry, visit.client) for entry in allow):
        return True
    if bits[1] == "1" and any(on(entry, visit.here) for entry in local):
        return True
    if bits[0] == "1" and visit.account:
        return True
    return bits == "0001"


def on(entry: str, address: str) -> bool:
    """Whether `address AND mask == net`, octet by octet."""
    net, _, mask = entry.partition(";")
    octets = [[int(octet) for octet in text.split(".")] for text in (net, mask or "255.255.255.255")]
    if ":" in address:  # Exchange 5.5 knew no IPv6
        return False
    return all(int(a) & m == n for a, n, m in zip(address.split("."), *octets, strict=True))


bases = st.sampled_from([*CLIENTS[:-1], *HERE, "192.0.2.0", "192.0.0.0", "192.0.2.16", "0.0.0.0", "10.0.0.0"])
entries = st.builds(lambda net, mask: f"{net};{mask}" if mask else net, bases, st.sampled_from(MASKS))
lists = st.lists(entries, max_size=4)
visits = [Visit(client, here, account) for client in CLIENTS for here in HERE for account in ("", "alice")]


@pytest.mark.parametrize("flags", range(16))
@given(deny=lists, allow=lists, local=lists, version=st.sampled_from([4, 5]))
@example(deny=["192.0.2.0;255.0.255.0"], allow=["192.0.0.0;255.0.0.0", "192.0.2.17;255.255.255.0"], local=[], version=4)
@example(deny=["192.0.2.1"], allow=["192.0.2.0;255.0.255.0"], local=["10.0.0.0;255.255.255.254"], version=5)
def test_all_relay_flags_decide_as_exchange_did(
    flags: int, deny: list[str], allow: list[str], local: list[str], version: int
) -> None:
    lists = {"RelayDenyList": deny, "RelayAllowList": allow, "RelayLocalIPList": local}
    rule = imported(export({"RelayFlags": flags, **lists}, version=version))
    for visit in visits:
        connection = Connection(client=ip_address(visit.client), local_address=ip_address(visit.here), names=Unasked())
        session = Session(connection, account=visit.account, today=TODAY)
        expected = relays(flags, deny, allow, local, visit)
        assert (rule.at_rcpt(session, OUTSIDE) is None) == expected, visit
        assert rule.at_rcpt(session, OURS) is None


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
parts = st.sampled_from(["@", "#", ".", "!", "*", '"', "a", "dom.example", "=", "<>", "\ufeff", " ", ";", "10.0.0.1"])
written = st.one_of(texts, st.lists(parts, max_size=5).map("".join))


@given(st.lists(written, max_size=5), st.lists(written, max_size=5), texts)
def test_whatever_the_lists_contain_the_configuration_loads(turf: list[str], allow: list[str], place: str) -> None:
    values = {"RelayFlags": 2, "RelayAllowList": allow, "TurfTable": turf, "TurfDir": place}
    draft = read_exchange(read_reg(export(values), "x.reg"), "x.reg", ["ours.example"], "/quarantine")
    entries = [entry.text for entry in loaded(draft).turf.tables.holding("")]
    assert entries == list(draft.entries("turf.tables"))


def imported(content: bytes) -> Relay:
    """The relay rule of an export."""
    return relay_rule(read_exchange(read_reg(content, "x.reg"), "x.reg", ["ours.example"], "/quarantine"))
