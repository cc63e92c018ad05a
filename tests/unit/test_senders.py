"""A table of mail addresses: the most specific entry decides, wherever it stands, and useless entries are named."""

from __future__ import annotations

from datetime import date
from itertools import combinations

import pytest

from rig.golden import Golden, report
from turfmilter.core.address.mailbox import Mailbox, fold_domain
from turfmilter.core.table.entries import table_file
from turfmilter.core.table.senders import SenderTable

TODAY = date(2027, 1, 31)


def table(*lines: str) -> SenderTable:
    made = SenderTable([table_file("turf", "\n".join(lines))])
    assert not [problem for problem in made.problems if not problem.warning]
    return made


def matched(senders: SenderTable, address: str, today: date = TODAY) -> str | None:
    """The text of the entry that decides about an address; "" is the empty sender."""
    local, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
    entry = senders.match(Mailbox(local.lower(), fold_domain(domain)), today)
    return entry.text if entry else None


def warnings(*lines: str) -> list[str]:
    return [str(problem) for problem in table(*lines).warnings]


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("user@ms.com", ["user@ms.com", "USER@MS.COM."], ["user@a.ms.com", "xuser@ms.com", "user", ""]),
        ("@ms.com", ["user@ms.com", "user@a.b.ms.com", "@ms.com"], ["user@pms.com", "user@com", "user", ""]),
        ("@.ms.com", ["user@ms.com", "user@a.ms.com"], ["user@pms.com"]),
        ("=@ms.com", ["user@ms.com"], ["user@a.ms.com", "user@com"]),
        ("*@ms.com", ["user@ms.com"], ["user@a.ms.com"]),
        ("user@", ["user@ms.com", "user@[192.0.2.1]", "user"], ["users@ms.com", "ms@user.com", ""]),
        (
            "user@[192.0.2.1]",
            ["user@[192.0.2.1]", "user@[IPv6:::ffff:192.0.2.1]"],
            ["user@[192.0.2.2]", "x@[192.0.2.1]"],
        ),
        ("@[192.0.2.1]", ["user@[192.0.2.1]"], ["user@[192.0.2.11]", "user@192.0.2.1"]),
        ("@[IPv6:2001:db8::1]", ["user@[ipv6:2001:DB8:0::1]"], ["user@[IPv6:2001:db8::2]"]),
        ("<>", [""], ["user", "user@ms.com", "@ms.com"]),
        (".", [""], ["user", "user@ms.com"]),
        ("news*@ms.com", ["news@ms.com", "News-1@ms.com"], ["new@ms.com", "news@a.ms.com", "news"]),
        ("*-bounces@ms.com", ["a-bounces@ms.com", "-bounces@ms.com"], ["bounces@ms.com", "a-bounces-1@ms.com"]),
        ("a*b*c@[192.0.2.1]", ["abc@[192.0.2.1]", "a-b-c@[192.0.2.1]"], ["acb@[192.0.2.1]", "abc@ms.com"]),
        ('"a*b"@ms.com', ["a*b@ms.com"], ["axb@ms.com"]),
        ('"="@ms.com', ["=@ms.com"], ["user@ms.com", "@ms.com"]),
        ("@bücher.example", ["user@Bücher.example", "user@a.xn--bcher-kva.example"], ["user@bucher.example"]),
    ],
)
def test_an_entry_matches_this_and_nothing_else(entry: str, inside: list[str], outside: list[str]) -> None:
    assert [address for address in inside + outside if matched(table(entry), address)] == inside


# From the most specific to the least; all of them match news-1@a.isp.example.
SPECIFICITY = [
    "news-1@a.isp.example",
    "news-*@a.isp.example",
    "n*-1@a.isp.example",
    "*-1@a.isp.example",
    "=@a.isp.example",
    "@a.isp.example",
    "@isp.example",
    "@example",
    "news-1@",
]
PAIRS = list(combinations(SPECIFICITY, 2))


@pytest.mark.parametrize(("special", "general"), PAIRS, ids=[" before ".join(pair) for pair in PAIRS])
def test_of_two_entries_the_more_specific_decides(special: str, general: str) -> None:
    for lines in ((special, f"!{general}"), (f"!{general}", special), (f"!{special}", general), (special, general)):
        assert matched(table(*lines), "news-1@a.isp.example") in (special, f"!{special}")


@pytest.mark.parametrize(
    ("one", "other", "address"),
    [
        ("news@isp.example", '"News"@isp.example', "news@isp.example"),
        ("news*@isp.example", "News*@isp.example", "news@isp.example"),
        ("new*@isp.example", "*ews@isp.example", "news@isp.example"),
        ("=@isp.example", "*@isp.example", "news@isp.example"),
        ("@isp.example", "@.isp.example", "news@isp.example"),
        ("@[192.0.2.1]", "=@[IPv6:::ffff:192.0.2.1]", "news@[192.0.2.1]"),
        ("news@", "NEWS@", "news@isp.example"),
        ("<>", ".", ""),
    ],
)
def test_on_a_tie_the_exception_wins(one: str, other: str, address: str) -> None:
    for lines in ((one, f"!{other}"), (f"!{other}", one)):
        assert matched(table(*lines), address) == f"!{other}"


def test_after_an_entry_expires_the_next_most_specific_one_decides() -> None:
    lines = [
        "joe@",
        "!@isp.example expires=2027-01-31",
        "j*@isp.example expires=2027-01-30",
        "!joe@isp.example expires=2027-01-29",
    ]
    days = [date(2027, 1, 29), date(2027, 1, 30), date(2027, 1, 31), date(2027, 2, 1)]
    answers = [matched(table(*lines), "joe@isp.example", day) for day in days]
    assert answers == ["!joe@isp.example", "j*@isp.example", "!@isp.example", "joe@"]


def test_an_expired_exception_no_longer_wins_the_tie() -> None:
    senders = table("@isp.example", "!@isp.example expires=2027-01-30")
    assert matched(senders, "joe@isp.example", date(2027, 1, 30)) == "!@isp.example"
    assert matched(senders, "joe@isp.example") == "@isp.example"


def test_an_endless_domain_is_looked_up_by_its_last_labels() -> None:
    assert matched(table("@isp.example"), "joe@" + "a." * 30_000 + "isp.example") == "@isp.example"
    assert matched(table("@isp.example"), "joe@" + "a" * 60_000) is None


def test_an_empty_table_matches_nothing() -> None:
    assert not table()
    assert matched(table(), "") is matched(table(), "joe@isp.example") is None


def test_a_table_counts_its_entries() -> None:
    assert len(table("<>", "!<>", "joe@", "@isp.example", "@.isp.example")) == 4


WITHOUT_EFFECT = [
    ["@isp.example", "@.ISP.example"],
    ["joe@ expires=2027-01-31", "joe@"],
    ["!<>", "!."],
    ["@isp.example", "!@isp.example"],
    ["a*@isp.example", "!a*@isp.example"],
    ["joe@isp.example", "@isp.example"],
    ["joe@isp.example", "joe@"],
    ["!joe@isp.example", "!j*@isp.example", "@isp.example"],
    ["=@a.isp.example", "@isp.example"],
    ["@a.isp.example", "@isp.example", "!@example"],
    ["news*@isp.example", "new*@isp.example", "@isp.example"],
    ["!@a.isp.example", "@a.isp.example", "!@isp.example"],
    ["@isp.example expires=2027-03-01", "!@isp.example expires=2027-03-01"],
    ["!joe@isp.example expires=2027-02-01", "!@isp.example expires=2027-03-01"],
]


def test_entries_that_make_no_difference_are_reported(golden: Golden) -> None:
    golden("table", report(map("\n".join, WITHOUT_EFFECT), lambda text: warnings(*text.split("\n"))))


@pytest.mark.parametrize(
    "lines",
    [
        ["@isp.example", "!joe@isp.example"],
        ["@isp.example", "!=@isp.example", "joe@isp.example"],
        ["@isp.example expires=2027-01-31", "joe@isp.example"],
        ["@isp.example", "!@isp.example expires=2027-01-31"],
        ["=@isp.example", "@a.isp.example"],
        ["=@isp.example", "=@a.isp.example", "joe@b.isp.example"],
        ["news*@isp.example", "!n*@isp.example", "@isp.example"],
        ["!joe@", "joe@isp.example"],
        ["@isp.example", "joe@"],
        ["<>", "joe@", "@[192.0.2.1]", "ben@[192.0.2.2]"],
    ],
)
def test_entries_that_make_a_difference_are_not_reported(lines: list[str]) -> None:
    assert warnings(*lines) == []


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ([], [], (0, 0)),
        (["@a.example", "@b.example"], ["@b.example", "@a.example"], (0, 0)),
        (["@a.example", "joe@", "<>"], ["@b.example"], (3, 1)),
        (["@a.example"], ["!@a.example"], (1, 1)),
        (["@a.example expires=2027-01-31"], ["@a.example"], (1, 1)),
        (["@a.example by=anna"], ["@a.example by=ben"], (1, 1)),
        (["# words", "@a.example  # words"], ["@a.example"], (0, 0)),
    ],
)
def test_a_table_counts_what_came_and_what_went(new: list[str], old: list[str], expected: tuple[int, int]) -> None:
    assert table(*new).changes(table(*old)) == expected
