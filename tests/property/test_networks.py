"""A table of hosts against a naive loop over the entries, with the ipaddress module to tell what contains what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.table.entries import table_file
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.pattern import Interval

FIRST_DAY = date(2027, 1, 1)
DAYS = [FIRST_DAY + timedelta(days) for days in range(4)]
# Small ranges, so that entries overlap; both ends of each family, where arithmetic goes wrong.
BASES: list[IPAddress] = [
    ip_address(text) for text in ("0.0.0.0", "192.0.2.0", "255.255.255.240", "::", "2001:db8::", "ffff:" * 7 + "fff0")
]


@dataclass(frozen=True)
class Drawn:
    """A generated entry: its text, and its first and last address."""

    text: str
    first: IPAddress
    last: IPAddress
    rank: int
    exception: bool
    expires: date | None

    @property
    def line(self) -> str:
        """The entry with its sign and notes."""
        return f"{'!' if self.exception else ''}{self.text}{f' expires={self.expires}' if self.expires else ''}"

    def holds(self, address: IPAddress) -> bool:
        """Whether the entry matches, according to the specification."""
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def specificity(self, exception_wins: bool) -> tuple[int, int, bool]:
        """Address before range before network, then the smaller; on a tie by sign."""
        return self.rank, int(self.last) - int(self.first), self.exception is not exception_wins


def spelled(address: IPAddress, mapped: bool) -> str:
    return f"::ffff:{address}" if mapped and address.version == 4 else str(address)


@st.composite
def addresses(draw: st.DrawFn) -> IPAddress:
    return draw(st.sampled_from(BASES)) + draw(st.integers(0, 15))


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    address, mapped = draw(addresses()), draw(st.booleans())
    shape = draw(st.sampled_from(["address", "range", "network"]))
    first = last = address
    text = spelled(address, mapped)
    if shape == "range":
        other = type(address)(int(address) & ~15 | draw(st.integers(0, 15)))
        first, last = sorted((address, other), key=int)
        text = f"{spelled(first, mapped)}-{spelled(last, draw(st.booleans()))}"
    if shape == "network":
        length = address.max_prefixlen - draw(st.one_of(st.integers(0, 5), st.integers(0, address.max_prefixlen)))
        network = ip_network((address.packed, length), strict=False)
        first, last = network[0], network[-1]
        masks = [f"/{length}"] if address.version == 6 else [f"/{length}", f"/{network.netmask}", f";{network.netmask}"]
        text = f"{first}{draw(st.sampled_from(masks))}"
        if mapped and address.version == 4:
            text = f"::ffff:{first}/{96 + length}"
    rank = 0 if first == last else ["address", "range", "network"].index(shape)
    exception, expires = draw(st.booleans()), draw(st.sampled_from([None, *DAYS]))
    return Drawn(text, first, last, rank, exception, expires)


def table_of(tables: list[Drawn], exception_wins: bool, leave_out: int = 0) -> HostTable:
    lines = ("" if line == leave_out else one.line for line, one in enumerate(tables, 1))
    table = HostTable([table_file("hosts", "\n".join(lines))], exception_wins=exception_wins)
    assert not table.problems
    return table


def naive(tables: list[Drawn], address: IPAddress, today: date, exception_wins: bool) -> tuple[bool, int, int] | None:
    """Sign and ends of the most specific entry that is valid."""
    candidates = [one for one in tables if one.holds(address) and (one.expires is None or today <= one.expires)]
    if not candidates:
        return None
    best = min(candidates, key=lambda one: one.specificity(exception_wins))
    return best.exception, best.rank, int(best.last) - int(best.first)


def answer(table: HostTable, address: IPAddress, today: date) -> tuple[bool, int, int] | None:
    entry = table.match_address(address, today)
    if entry is None:
        return None
    assert isinstance(entry.pattern, Interval)
    return entry.exception, entry.pattern.kind, entry.pattern.last - entry.pattern.first


def mapped(address: IPAddress) -> IPAddress:
    return IPv6Address(0xFFFF << 32 | int(address)) if isinstance(address, IPv4Address) else address


@given(st.lists(drawn(), max_size=12), st.lists(addresses(), min_size=1), st.booleans())
def test_the_table_answers_as_a_naive_loop_does(
    tables: list[Drawn], clients: list[IPAddress], exception_wins: bool
) -> None:
    table = table_of(tables, exception_wins)
    for today in [*DAYS, DAYS[-1] + timedelta(1)]:
        for client in clients:
            expected = naive(tables, client, today, exception_wins)
            assert answer(table, client, today) == expected
            assert answer(table, mapped(client), today) == expected


@given(st.lists(drawn(), max_size=12), st.booleans())
def test_an_entry_that_is_reported_to_make_no_difference_makes_none(tables: list[Drawn], exception_wins: bool) -> None:
    whole = table_of(tables, exception_wins)
    useless = {problem.where.line for problem in whole.warnings if "duplicate" not in problem.wrong}
    everywhere = [base + number for base in BASES for number in range(16)]
    for line in useless:
        rest = table_of(tables, exception_wins, leave_out=line)
        for today in [*DAYS, DAYS[-1] + timedelta(1)]:
            for client in everywhere:
                before, after = whole.match_address(client, today), rest.match_address(client, today)
                assert (before and before.exception) == (after and after.exception)
