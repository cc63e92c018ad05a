"""The invariants of the structures in core/table: marks, slots and segments.  Its README says what each is for."""

from __future__ import annotations

import gc
import re
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.table import entries as entries_module
from turfmilter.core.table import index as index_module
from turfmilter.core.table import ranges as ranges_module
from turfmilter.core.table.entries import HOSTS, NEVER, SENDERS, Entries, Language, Source, table_file
from turfmilter.core.table.entry import Entry, Where, parse_entry, parse_line
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.index import Keys, PatternIndex
from turfmilter.core.table.pattern import Domain, Parts, parts_of
from turfmilter.core.table.ranges import Intervals, Segments, Sweep
from turfmilter.core.table.senders import SenderTable

ROOT = Path(__file__).parents[2]
README = ROOT / "milter/turfmilter/core/table/README.md"
NOTE_WORDS = ["", "", " expires=2027-01-01", " expires=2027-01-02 by=anna", " # words"]
NOTE_WORDS += [' why="two words" expires=2027-01-03', ' by=anna why=x expires="2027-01-01"', " by=x # words"]
NOTES = st.sampled_from(NOTE_WORDS)
SIGNS = st.sampled_from(["", "", "!"])
SENDER_WORDS = ["a@x.test", "B@x.test", "a*@x.test", "=@x.test", "@x.test", "@y.x.test", "@z.y.x.test", "b@", "<>"]
SENDER_WORDS += ['"a b"@x.test', "@test", "@a-very-long-label-that-is-not-plain-because-the-line-is-too-long.y.x.test"]
HOST_WORDS = ["192.0.2.0/24", "192.0.2.1", "192.0.2.0-192.0.2.9", "x.test", "=x.test", "2001:db8::/32", "0.0.0.0/0"]
NOT_ENTRIES = ["", " ", "# words", "no entry", "!", "a@x.test expires=never", "192.0.2.1/24"]


def lines_of(words: Sequence[str]) -> st.SearchStrategy[str]:
    return st.builds("{}{}{}".format, SIGNS, st.sampled_from(words), NOTES)


def sources_of(words: Sequence[str]) -> st.SearchStrategy[list[Source]]:
    """Table files, some inverted, and entries in the configuration."""
    lines = st.lists(st.one_of(lines_of(words), st.sampled_from(NOT_ENTRIES)), max_size=6)
    files = st.builds(lambda lines: table_file("table", "\n".join(lines)), lines)
    keys = st.builds(lambda line: Source("turf.tables[0]", line), lines_of(words))
    inverted = st.builds(lambda lines: Source("t", "\n".join(lines), range(1, len(lines) + 1), True, True), lines)
    return st.lists(st.one_of(files, keys, inverted), max_size=4)


def carefully(sources: Sequence[Source], language: Language) -> list[Entry | None]:
    """What the careful parser makes of each row; row 0 has no entry."""
    found: list[Entry | None] = [None]
    for source in sources:
        for number, line in zip(source.numbers, source.lines, strict=True):
            read = parse_line if source.comments else parse_entry
            entry, _ = read(line, Where(source.name, number), language.parse)
            if entry and source.negated:
                entry = replace(entry, exception=not entry.exception)
            found.append(entry)
    return found


LANGUAGES = pytest.mark.parametrize(("language", "words"), [(SENDERS, SENDER_WORDS), (HOSTS, HOST_WORDS)])


@LANGUAGES
@given(st.data())
def test_each_row_has_one_start_and_one_mark_that_tell_what_is_in_its_line(
    language: Language, words: list[str], data: st.DataObject
) -> None:
    sources = data.draw(sources_of(words))
    entries = Entries(sources, language)
    read = list(entries.read())
    expected = carefully(entries.sources, language)
    assert len(entries._marks) == len(entries._starts) == len(expected)
    assert [row for row, _ in read] == [row for row, entry in enumerate(expected) if entry]
    for row, entry in enumerate(expected):
        if entry is None:
            assert entries._marks[row] == 0
        else:
            assert (entries[row], entries.exception(row)) == (entry, entry.exception)
            assert entries.last_day(row) == (entry.expires.toordinal() if entry.expires else NEVER)


@given(st.lists(lines_of(SENDER_WORDS), min_size=1, max_size=40), st.integers(0, 40))
def test_lines_are_split_in_batches_that_lose_and_move_none(lines: list[str], size: int) -> None:
    text = "\n".join(lines)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(entries_module, "_BATCH", size)
        source = table_file("table", text)
        assert [line for batch in source.batches() for line in batch] == lines
        entries = Entries([source, source], SENDERS)
        rows = [row for row, _ in entries.read()]
        expected = [entry for entry in carefully([source, source], SENDERS) if entry]
        assert [entries[row] for row in rows] == expected


@pytest.mark.parametrize("number", [1, 2, 9_999, 20_000])
@pytest.mark.parametrize("notes", ["", " by=anna expires=2027-01-31"])
def test_one_error_among_many_lines_names_its_line(number: int, notes: str) -> None:
    lines = [f"@host{line}.x.test{notes}" for line in range(20_000)]
    lines[number - 1] = f"@x..test{notes}"
    table = senders(lines)
    assert [(problem.where, problem.entry) for problem in table.problems] == [(Where("table", number), "@x..test")]
    assert len(table) == len(lines) - 1


@LANGUAGES
@given(st.data())
def test_reading_again_yields_the_same_rows_and_parts(
    language: Language, words: list[str], data: st.DataObject
) -> None:
    entries = Entries(data.draw(sources_of(words)), language)
    read = list(entries.read())
    assert list(entries.again()) == read
    assert [parts_of(entries[row].pattern) for row, _ in read] == [parts for _, parts in read]


@pytest.mark.parametrize("expires", [None, date.min, date(2027, 1, 31), date.max])
@pytest.mark.parametrize("kind", [0, entries_module._PLAIN, entries_module._NOTED])
@pytest.mark.parametrize("exception", [False, True])
def test_a_mark_keeps_its_three_parts_in_32_bits_and_is_never_0(
    expires: date | None, kind: int, exception: bool
) -> None:
    mark = entries_module._mark(expires, kind, exception=exception)
    assert 0 < mark < 1 << 32
    assert mark >> entries_module._DAY_SHIFT == (expires.toordinal() if expires else NEVER)
    assert mark & (entries_module._PLAIN | entries_module._NOTED) == kind
    assert bool(mark & entries_module._EXCEPTION) == exception


def indexed(lines: Sequence[str]) -> tuple[Entries, dict[int, Parts], Keys, PatternIndex]:
    """An index of the entries in these lines, with the parts of each row."""
    entries, keys = Entries([table_file("table", "\n".join(lines))], SENDERS), Keys()
    rows = dict(entries.read())
    keys.add_all(rows.items())
    return entries, rows, keys, PatternIndex(entries, keys, exception_wins=True)


@given(st.lists(lines_of(SENDER_WORDS), max_size=25))
def test_a_used_slot_holds_the_tag_and_the_row_and_is_reached_from_its_home_without_a_gap(lines: list[str]) -> None:
    _, rows, _, index = indexed(lines)
    tags, mask = index._tags, index._mask
    for place, (tag, row) in enumerate(zip(tags, index._rows, strict=True)):
        if tag:
            key = hash(rows[row])
            assert tag == key >> index_module._TAG_SHIFT & index_module._HASH_BITS | index_module._USED
            distance = place - key & mask
            assert all(tags[key + step & mask] for step in range(distance))


@given(st.one_of(st.lists(lines_of(SENDER_WORDS)), st.lists(lines_of(SENDER_WORDS[:3]), min_size=8, max_size=25)))
def test_the_slots_hold_one_row_for_each_pattern_and_sign_the_one_that_lasts_longest(lines: list[str]) -> None:
    entries, rows, _, index = indexed(lines)
    held = [row for tag, row in zip(index._tags, index._rows, strict=True) if tag]
    groups: dict[tuple[Parts, bool], list[int]] = {}
    for row, parts in rows.items():
        groups.setdefault((parts, entries.exception(row)), []).append(row)
    assert len(held) == len(groups) == len(index)
    assert {(rows[row], entries.exception(row)) for row in held} == set(groups)
    assert index.left_out == set(rows) - set(held)
    for row in held:
        group = groups[rows[row], entries.exception(row)]
        assert entries.last_day(row) == max(map(entries.last_day, group))
    both = {row for (parts, sign), group in groups.items() if (parts, not sign) in groups for row in group}
    assert both & set(held) <= index.tied <= both


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 7, 8, 100, 1023, 1024])
def test_at_most_half_of_the_slots_are_used_so_that_every_search_ends(number: int) -> None:
    _, _, _, index = indexed([f"user{line}@x.test" for line in range(number)])
    assert len(index._tags) == len(index._rows) == index._mask + 1 == 1 << index._mask.bit_length()
    assert 2 * number < len(index._tags) <= 4 * max(number, 1)
    assert sum(map(bool, index._tags)) == number


class Alike(str):
    """A text whose hash is that of all others of its kind."""

    def __hash__(self) -> int:
        return 7


def alike(parts: Parts) -> Parts:
    return parts[0], *(Alike(part) if isinstance(part, str) else part for part in parts[1:])


@given(st.lists(lines_of(["a@x.test", "b@x.test", "a@y.test", "b@y.test"]), max_size=12))
def test_patterns_with_the_same_hash_are_told_apart(lines: list[str]) -> None:
    entries, keys = Entries([table_file("table", "\n".join(lines))], SENDERS), Keys()
    rows = dict(entries.read())
    keys.add_all((row, alike(parts)) for row, parts in rows.items())
    index = PatternIndex(entries, keys, exception_wins=True)
    for parts in indexed(["a@x.test", "b@x.test", "a@y.test", "b@y.test", "c@x.test"])[1].values():
        found = index.at(alike(parts))
        assert {entry.exception for entry in found} == {entries.exception(row) for row in rows if rows[row] == parts}
        assert all(parts_of(entry.pattern) == parts for entry in found)


@given(st.lists(lines_of(SENDER_WORDS), max_size=12), st.sampled_from(["x.test", "q.y.x.test", "a.z.y.x.test", ""]))
def test_only_lookups_that_cannot_find_anything_are_skipped(lines: list[str], domain: str) -> None:
    _, rows, keys, index = indexed(lines)
    labels = domain.split(".")
    tails = [(Domain, ".".join(labels[place:]), False) for place in range(len(labels))]
    asked = index.around(Domain, domain)
    assert [tail for tail in tails if tail in rows.values()] == [tail for tail in asked if tail in rows.values()]
    assert {parts[0] for parts in rows.values() if parts[-1] is not False} == keys.kinds


# Segments.

FIRST = {4: 0xC0000200, 6: 0x20010DB8 << 96}
END = {4: 1 << 32, 6: 1 << 128}


@st.composite
def intervals(draw: st.DrawFn, version: int) -> tuple[str, Parts]:
    """An entry, and the parts of its pattern: near others, or at an end or the middle of the address space."""
    make = IPv4Address if version == 4 else IPv6Address
    base = draw(st.sampled_from([FIRST[version], 0, END[version] - 16, 1 << 64 if version == 6 else 1 << 31]))
    first, last = sorted(base + draw(st.integers(0, 15)) for _ in range(2))
    if draw(st.booleans()):
        bits = draw(st.sampled_from([0, 1, 2, 3, 4, 64 if version == 6 else 16]))
        first = base >> bits << bits
        return _entry(f"{make(first)}/{make(0).max_prefixlen - bits}")
    return _entry(f"{make(first)}-{make(last)}" if first < last else f"{make(first)}")


def _entry(text: str) -> tuple[str, Parts]:
    return text, parts_of(HOSTS.parse(text))


class Swept(NamedTuple):
    """Segments, and what they were made of."""

    entries: Entries
    rows: dict[int, Parts]
    intervals: Intervals
    segments: Segments
    exception_wins: bool

    def key(self, row: int) -> tuple[int, int, bool]:
        """How specific the entry in `row` is: the smaller decides."""
        _, _, first, last, kind = self.rows[row]
        return int(kind), last - first, self.entries.exception(row) is not self.exception_wins

    def decides(self, rows: Iterable[int], day: int) -> tuple[int, int, bool] | None:
        """The key of the most specific entry among the rows that has not expired on this day."""
        return min((self.key(row) for row in rows if self.entries.last_day(row) >= day), default=None)


@st.composite
def swept(draw: st.DrawFn) -> Swept:
    version, exception_wins = draw(st.sampled_from([4, 6])), draw(st.booleans())
    lines = draw(st.lists(st.tuples(SIGNS, intervals(version), NOTES), max_size=10))
    text = "\n".join(f"{sign}{entry}{notes}" for sign, (entry, _), notes in lines)
    entries, of_version = Entries([table_file("table", text)], HOSTS), Intervals(version)
    rows = dict(entries.read())
    for row, (_, _, first, last, kind) in rows.items():
        of_version.add(row, first, last, kind)
    segments = Sweep(entries, of_version, exception_wins=exception_wins).segments
    return Swept(entries, rows, of_version, segments, exception_wins)


def points_of(segments: Segments) -> list[int]:
    if not segments._highs:
        return list(segments._lows)
    return [high << 64 | low for high, low in zip(segments._highs, segments._lows, strict=True)]


@given(swept())
def test_the_points_rise_within_the_address_space_at_most_two_for_each_interval(made: Swept) -> None:
    segments, points = made.segments, points_of(made.segments)
    assert len(points) == len(segments._rows) <= 2 * len(made.rows)
    assert all(one < other for one, other in pairwise(points))
    assert all(0 <= point < 1 << made.intervals.bits for point in points)
    for column in (segments._highs, segments._lows, segments._rows):
        assert isinstance(column, array)


@given(swept())
def test_each_segment_has_the_rows_that_decide_everywhere_in_it(made: Swept) -> None:
    points = sorted({0, *points_of(made.segments), 1 << made.intervals.bits})
    days = {1, NEVER, *(made.entries.last_day(row) + after for row in made.rows for after in (0, 1))}
    for number in {number for begin, end in pairwise(points) for number in (begin, end - 1)}:
        chain = made.segments.at(number)
        around = [row for row, (_, _, first, last, _) in made.rows.items() if first <= number <= last]
        lasting = [made.entries.last_day(row) for row in chain]
        assert lasting == sorted(set(lasting))
        for day in days:
            first_left = next((row for row in chain if made.entries.last_day(row) >= day), None)
            assert (first_left and made.key(first_left)) == made.decides(around, day)


@given(swept())
def test_a_rank_puts_the_kind_first_then_the_size_then_the_sign(made: Swept) -> None:
    sweep = Sweep(made.entries, made.intervals, exception_wins=made.exception_wins)
    ranks = [(sweep._rank(place), made.key(row)) for place, row in enumerate(made.intervals.rows)]
    for rank, key in ranks:
        assert rank & ranges_module._PLACE == 0
        for other, another in ranks:
            assert (rank < other, rank == other) == (key < another, key == another)


# What forked processes share.


def blocks_of(make: Callable[[], object]) -> int:
    """The number of pieces of memory that a table holds."""
    gc.collect()
    before = sys.getallocatedblocks()
    table = make()
    gc.collect()
    after = sys.getallocatedblocks()
    del table
    return after - before


def senders(lines: Iterable[str]) -> SenderTable:
    return SenderTable([table_file("table", "\n".join(lines))])


def hosts(lines: Iterable[str]) -> HostTable:
    return HostTable([table_file("table", "\n".join(lines))], exception_wins=True)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (senders, lambda number: f"@host{number}.x.test"),
        (hosts, lambda number: f"host{number}.x.test"),
        (hosts, lambda number: f"{IPv4Address(number << 10)}/24"),
        (hosts, lambda number: f"{IPv6Address((0x2001 << 112) + (number << 80))}/56"),
    ],
    ids=["senders", "names", "networks", "IPv6 networks"],
)
def test_a_table_has_no_object_for_each_entry(
    make: Callable[[Iterable[str]], object], line: Callable[[int], str]
) -> None:
    make(map(line, range(10)))  # so that what Python keeps of a first time is not counted
    small, large = (blocks_of(partial(make, map(line, range(count)))) for count in (100, 4_000))
    assert large < small + 100


def test_a_lookup_writes_to_nothing_that_processes_share() -> None:
    table = senders(["@x.test", "a@y.test expires=2027-01-01", "!b@y.test", "c*@y.test", "d@"])
    clients = hosts(["192.0.2.0/24 expires=2027-01-01", "192.0.0.0/16", "!192.0.2.1", "2001:db8::/32", "y.test"])
    arrays: list[Sequence[int]] = []
    arrays += [content for index in (table._index, clients._names) for content in (index._tags, index._rows)]
    arrays += [content for one in (table, clients) for content in (one._entries._marks, one._entries._starts)]
    arrays += [content for one in clients._segments.values() for content in (one._highs, one._lows, one._rows)]
    before = [list(content) for content in arrays]
    today = date(2027, 1, 2)
    asked = [Mailbox(local, domain) for local in ("a", "b", "cc", "d", "e") for domain in ("x.test", "y.test", "")]
    assert any(table.match(mailbox, today) for mailbox in asked)
    assert any(clients.match_address(ip_address(text), today) for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1"))
    assert clients.match_name("a.y.test", today)
    assert [list(content) for content in arrays] == before


def test_the_readme_names_tests_that_exist() -> None:
    named = re.findall(r"`(test_\w+)`", README.read_text(encoding="utf-8"))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }
    assert len(named) > 10
    assert [name for name in named if name not in there] == []
