"""The lines of a table: entries, signs, comments, notes, and problems with their line numbers."""

from __future__ import annotations

from datetime import date

import pytest

from rig.golden import Golden, report
from turfmilter.core.table.entries import HOSTS, SENDERS, Entries, Language, table_file
from turfmilter.core.table.entry import Entry, Problem, Where, parse_entry
from turfmilter.core.table.pattern import Address, Domain, Interval, parse_host


def read_entries(lines: list[str], source: str, language: Language = SENDERS) -> tuple[list[Entry], list[Problem]]:
    entries = Entries([table_file(source, "\n".join(lines))], language)
    return [entries[row] for row, _ in list(entries.read())], entries.problems


def only_entry(line: str) -> Entry:
    entries, problems = read_entries([line], "turf.table")
    assert not problems
    assert len(entries) == 1
    return entries[0]


def said(line: str) -> list[str]:
    return [str(problem) for problem in read_entries([line], "turf.table")[1]]


def test_every_entry_knows_its_line_and_its_text() -> None:
    lines = ["# senders", "", "@isp.example", "!Joe@isp.example why=friend", "  news@  "]
    entries, problems = read_entries(lines, "turf.table")
    assert not problems
    assert [(str(entry.where), entry.text, entry.exception) for entry in entries] == [
        ("turf.table:3", "@isp.example", False),
        ("turf.table:4", "!Joe@isp.example", True),
        ("turf.table:5", "news@", False),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "@isp.example\n",
        "@isp.example\r\n",
        "\ufeff@isp.example",
        "\t@isp.example \t",
    ],
)
def test_line_ends_blanks_and_a_byte_order_mark_are_ignored(line: str) -> None:
    assert only_entry(line).pattern == Domain("isp.example", exact=False)


@pytest.mark.parametrize("line", ["", "\n", "  \r\n", "# words", "#words", "  # words", "\ufeff# words", "#"])
def test_a_line_may_hold_no_entry(line: str) -> None:
    assert read_entries([line], "turf.table") == ([], [])


@pytest.mark.parametrize(
    "line",
    ["a#b@isp.example", "a#b@isp.example # words", "a#b@isp.example\t#words", 'a#b@isp.example # he said "no'],
)
def test_a_comment_starts_at_the_start_of_a_line_or_after_a_blank(line: str) -> None:
    assert only_entry(line).pattern == Address("a#b", "isp.example")


def test_blanks_in_a_quoted_local_part_do_not_separate_words() -> None:
    assert only_entry('"Joe # Smith"@isp.example by=anna').pattern == Address("joe # smith", "isp.example")


@pytest.mark.parametrize(
    ("notes", "expires", "why", "by"),
    [
        ("", None, "", ""),
        ("expires=2027-01-31", date(2027, 1, 31), "", ""),
        ('expires=2027-01-31 why="ticket 4711" by=anna', date(2027, 1, 31), "ticket 4711", "anna"),
        ("by=anna why=spam # since May", None, "spam", "anna"),
        ('why="ticket #4711"', None, "ticket #4711", ""),
        ('why=ticket" #"4711', None, "ticket #4711", ""),
        (r'why="he said \"no\" \\ yes"', None, r'he said "no" \ yes', ""),
        ("why=a=b", None, "a=b", ""),
        ("why=it's", None, "it's", ""),
        ("why=", None, "", ""),
        ('why=""', None, "", ""),
    ],
)
def test_notes_follow_the_entry(notes: str, expires: date | None, why: str, by: str) -> None:
    entry = only_entry(f"!@isp.example {notes}")
    assert (entry.text, entry.expires, entry.why, entry.by) == ("!@isp.example", expires, why, by)


def test_an_entry_is_valid_until_its_last_day_is_over() -> None:
    entry = only_entry("@isp.example expires=2027-01-31")
    assert entry.valid_on(date(2027, 1, 31))
    assert not entry.valid_on(date(2027, 2, 1))


WITH_AN_ERROR = [
    "isp.example",
    "!isp.example",
    "!",
    "! @isp.example",
    "@isp.example REJECT",
    "@isp.example =@isp.example",
    "@isp.example expire=2027-01-31",
    "@isp.example Why=spam",
    "@isp.example colour=red",
    "@isp.example expires=soon",
    "@isp.example expires=2027-02-30",
    "@isp.example expires=",
    '@isp.example why="ticket 4711',
    '@isp.example why="ticket\\',
    "@isp.example by=anna by=ben",
    "Joe <joe@isp.example>",
    '"Joe Smith" <joe@isp.example>',
    "@isp.example 550 5.7.1 not welcome",
    "@isp.example // words",
    "@isp.example 2027-01-31",
    "@isp.example until=2027-01-31",
    "@isp.example reason=spam",
    "joe@isp.example; ben@isp.example",
    "192.0.2.0 255.255.255.0",
    "192.0.2.1 - 192.0.2.9",
    "127.0.0.0/8 [::1]/128",
    "- @isp.example",
    "@isp.example 5.0",
]


def test_a_line_with_an_error_has_no_entry(golden: Golden) -> None:
    found = {line: read_entries([line], "turf.table", HOSTS if line[0] == "1" else SENDERS) for line in WITH_AN_ERROR}
    assert all(not entries and not problem.warning for entries, problems in found.values() for problem in problems)
    golden("table", report(found, lambda line: found[line][1]))


def test_a_doubtful_entry_is_kept_with_a_warning() -> None:
    entries, problems = read_entries(["!*@isp.example"], "turf.table")
    assert [entry.pattern for entry in entries] == [Domain("isp.example", exact=True)]
    assert [problem.warning for problem in problems] == [True]


def test_the_exact_domain_of_exchange_is_a_comment_that_is_warned_about(golden: Golden) -> None:
    golden("table", report(["#@isp.example", "  #@isp.example\r\n", "#@isp.example why=spam"], said))


@pytest.mark.parametrize(
    "line", ["#@todo", "#@isp.example sends spam", "#@isp..example", "# @isp.example", "#joe@isp.example", "@a.b #@c.d"]
)
def test_an_ordinary_comment_is_not_warned_about(line: str) -> None:
    assert said(line) == []


def test_a_table_of_hosts_has_no_such_comments() -> None:
    assert read_entries(["#@isp.example"], "clients.deny", HOSTS) == ([], [])


def test_reading_continues_after_an_error() -> None:
    entries, problems = read_entries(["192.0.2.1/24", "192.0.2.1", "192.0.2", "!::1"], "clients.deny", HOSTS)
    assert [str(entry) for entry in entries] == ["192.0.2.1 clients.deny:2", "!::1 clients.deny:4"]
    assert [problem.where.line for problem in problems] == [1, 3]


def test_among_many_lines_the_one_with_an_error_is_named() -> None:
    lines = [f"@host{number}.example" if number != 70_001 else "host.example" for number in range(1, 100_001)]
    entries, problems = read_entries(lines, "turf.table")
    assert len(entries) == 99_999
    assert [(str(problem.where), problem.entry) for problem in problems] == [("turf.table:70001", "host.example")]


def test_an_entry_may_be_in_the_configuration_itself() -> None:
    entry, problems = parse_entry("!192.0.2.0/24 expires=2027-01-31", Where("relay.allow[2]"), parse_host)
    assert not problems
    assert entry is not None
    assert isinstance(entry.pattern, Interval)
    assert (str(entry), entry.expires) == ("!192.0.2.0/24 relay.allow[2]", date(2027, 1, 31))


def in_the_configuration(text: str) -> list[Problem]:
    entry, problems = parse_entry(text, Where("relay.allow[2]"), parse_host)
    assert entry is None
    return problems


def test_an_entry_in_the_configuration_has_no_line_and_no_comment(golden: Golden) -> None:
    golden("table", report(["", "  ", "192.0.2.1/24", "192.0.2.1 # words"], in_the_configuration))
