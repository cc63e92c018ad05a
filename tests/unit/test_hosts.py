"""A table of hosts: the most specific entry decides, wherever it stands, and useless entries are named."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address
from itertools import combinations

import pytest

from rig.golden import Golden, report
from turfmilter.core.table.entries import table_file
from turfmilter.core.table.hosts import HostTable

TODAY = date(2027, 1, 31)


def table(*lines: str, exception_wins: bool = False) -> HostTable:
    made = HostTable([table_file("hosts", "\n".join(lines))], exception_wins=exception_wins)
    assert not [problem for problem in made.problems if not problem.warning]
    return made


def matched(hosts: HostTable, client: str, today: date = TODAY) -> str | None:
    """The text of the entry that decides about an address or a name."""
    if client[0].isdigit() or ":" in client:
        entry = hosts.match_address(ip_address(client), today)
    else:
        entry = hosts.match_name(client, today)
    return entry.text if entry else None


def warnings(*lines: str, exception_wins: bool = False) -> list[str]:
    return [str(problem) for problem in table(*lines, exception_wins=exception_wins).warnings]


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.0", "192.0.2.2", "::c000:201"]),
        ("::ffff:192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.2"]),
        ("2001:db8::1", ["2001:db8::1"], ["2001:db8::2", "::1"]),
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"], ["192.0.1.255", "192.0.3.0"]),
        ("192.0.2.10-192.0.2.20", ["192.0.2.10", "192.0.2.20"], ["192.0.2.9", "192.0.2.21"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:192.0.2.1"], ["::1"]),
        ("::/0", ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], ["192.0.2.1", "::ffff:192.0.2.1"]),
        (
            "isp.example",
            ["isp.example", "a.isp.example", "a.b.isp.example"],
            ["xisp.example", "example", "isp.example.x"],
        ),
        ("=isp.example", ["isp.example"], ["a.isp.example"]),
    ],
)
def test_an_entry_matches_this_and_nothing_else(entry: str, inside: list[str], outside: list[str]) -> None:
    assert [client for client in inside + outside if matched(table(entry), client)] == inside


# From the most specific to the least; all of them hold 192.0.2.5.
ADDRESSES = ["192.0.2.5", "192.0.2.4-192.0.2.6", "0.0.0.0-255.255.255.255", "192.0.2.4/31", "192.0.2.0/24", "0.0.0.0/0"]
NAMES = ["=a.isp.example", "a.isp.example", "isp.example", "example"]
PAIRS = [(pair, "192.0.2.5") for pair in combinations(ADDRESSES, 2)] + [
    (pair, "a.isp.example") for pair in combinations(NAMES, 2)
]


@pytest.mark.parametrize("exception_wins", [False, True])
@pytest.mark.parametrize(("pair", "client"), PAIRS, ids=[" before ".join(pair) for pair, _ in PAIRS])
def test_of_two_entries_the_more_specific_decides(pair: tuple[str, str], client: str, exception_wins: bool) -> None:
    special, general = pair
    for lines in ((special, f"!{general}"), (f"!{general}", special), (f"!{special}", general), (special, general)):
        hosts = table(*lines, exception_wins=exception_wins)
        assert matched(hosts, client) in (special, f"!{special}")


@pytest.mark.parametrize(
    ("one", "other", "client"),
    [
        ("192.0.2.0/24", "192.0.2.0;255.255.255.0", "192.0.2.1"),
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1/32", "192.0.2.1"),
        ("192.0.2.1-192.0.2.3", "192.0.2.2-192.0.2.4", "192.0.2.2"),
        ("isp.example", "ISP.example.", "a.isp.example"),
        ("=isp.example", "=ISP.example", "isp.example"),
    ],
)
def test_on_a_tie_the_exception_wins_or_loses_as_the_table_says(one: str, other: str, client: str) -> None:
    for lines in ((one, f"!{other}"), (f"!{other}", one)):
        assert matched(table(*lines, exception_wins=True), client) == f"!{other}"
        assert matched(table(*lines, exception_wins=False), client) == one


def test_after_an_entry_expires_the_next_most_specific_one_decides() -> None:
    lines = [
        "10.0.0.0/8",
        "!10.1.0.0/16 expires=2027-01-31",
        "10.1.2.0/24 expires=2027-01-30",
        "10.1.2.3 expires=2027-01-29",
    ]
    days = [date(2027, 1, 29), date(2027, 1, 30), date(2027, 1, 31), date(2027, 2, 1)]
    answers = [matched(table(*lines), "10.1.2.3", day) for day in days]
    assert answers == ["10.1.2.3", "10.1.2.0/24", "!10.1.0.0/16", "10.0.0.0/8"]


def test_after_a_name_expires_the_next_most_specific_one_decides() -> None:
    hosts = table(
        "isp.example", "!isp.example expires=2027-01-30", "!a.isp.example expires=2027-01-30", exception_wins=True
    )
    assert matched(hosts, "a.isp.example", date(2027, 1, 30)) == "!a.isp.example"
    assert matched(hosts, "isp.example", date(2027, 1, 30)) == "!isp.example"
    assert matched(hosts, "a.isp.example") == "isp.example"
    assert matched(table("isp.example expires=2027-01-30"), "isp.example") is None


def test_of_duplicates_the_one_that_lasts_longer_applies() -> None:
    for lines in (("::1 expires=2027-01-30", "::1"), ("::1", "::1 expires=2027-01-30")):
        assert matched(table(*lines), "::1") == "::1"


def test_ranges_of_one_size_end_each_where_it_is_written() -> None:
    hosts = table("192.0.2.1-192.0.2.3", "192.0.2.0-192.0.2.2", "192.0.2.0", "192.0.2.2-192.0.2.4")
    answers = [matched(hosts, f"192.0.2.{number}") for number in range(6)]
    assert [answer and "-" in answer for answer in answers] == [False, True, True, True, True, None]
    assert (answers[3], answers[4]) == ("192.0.2.1-192.0.2.3", "192.0.2.2-192.0.2.4")


def test_a_table_knows_whether_it_has_names() -> None:
    assert not table("192.0.2.0/24", "::1").names
    assert table("192.0.2.0/24", "isp.example").names


def test_an_empty_table_matches_nothing() -> None:
    hosts = table()
    assert not hosts
    assert matched(hosts, "192.0.2.1") is matched(hosts, "::1") is matched(hosts, "isp.example") is None
    assert hosts.match_name("", TODAY) is None


def test_a_table_counts_its_entries() -> None:
    assert len(table("192.0.2.1", "!192.0.2.1", "::1", "isp.example", "192.0.2.1")) == 4


WITHOUT_EFFECT = [
    ["::1", "0::1"],
    ["isp.example", "Isp.example"],
    ["::1 expires=2027-01-31", "::1"],
    ["::1", "!::1"],
    ["!isp.example", "isp.example"],
    ["192.0.2.0/31", "!192.0.2.0", "!192.0.2.1"],
    ["!192.0.2.0-192.0.2.9", "192.0.2.0/30"],
    ["192.0.2.0/24", "192.0.2.1", "!192.0.2.2"],
    ["a.isp.example", "isp.example", "=a.isp.example"],
    ["10.0.0.0/8 expires=2027-03-01", "10.1.0.0/16 expires=2027-03-01"],
    ["!isp.example expires=2027-03-01", "isp.example expires=2027-03-01"],
    ["10.1.0.0/16", "!10.1.0.0/16", "10.0.0.0/8"],
    ["!10.0.0.0/8 expires=2027-03-01", "!10.1.0.0/16 expires=2027-02-01"],
]


def test_entries_that_make_no_difference_are_reported(golden: Golden) -> None:
    golden("table", report(map("\n".join, WITHOUT_EFFECT), lambda text: warnings(*text.split("\n"))))


@pytest.mark.parametrize(
    "lines",
    [
        ["192.0.2.0/24", "!192.0.2.1"],
        ["192.0.2.0/24", "!192.0.2.0/25", "192.0.2.1"],
        ["192.0.2.0/24 expires=2027-01-31", "192.0.2.1"],
        ["192.0.2.0/31", "!192.0.2.0", "!192.0.2.1 expires=2027-01-31"],
        ["::1 expires=2027-01-31", "!::1"],
        ["192.0.2.0/24", "192.0.2.250-192.0.3.5"],
        ["192.0.2.0-192.0.2.5", "192.0.2.3-192.0.2.8"],
        ["isp.example", "!a.isp.example", "b.a.isp.example"],
        ["isp.example expires=2027-01-31", "a.isp.example"],
        ["isp.example expires=2027-01-31", "!isp.example"],
        ["192.0.2.1", "2001:db8::/32", "isp.example", "=example"],
    ],
)
def test_entries_that_make_a_difference_are_not_reported(lines: list[str]) -> None:
    assert warnings(*lines) == []


def test_exceptions_that_win_ties_hide_the_plain_entry() -> None:
    assert warnings("::1", "!::1", exception_wins=True) == [
        'hosts:1: "::1": never decides: "!::1" (hosts:2) wins the tie'
    ]
