"""The plain entries of which a big table mostly consists, recognised at a glance.

What these functions recognise they read exactly as parse_sender and parse_host do; all else is left to those.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import accumulate, repeat

from turfmilter.core.table.entry import Entry, Parse, Problem, Where, parse_entry, parse_line
from turfmilter.core.table.pattern import (
    Address,
    Domain,
    Interval,
    Kind,
    Name,
    Parts,
    made_of,
    parse_host,
    parse_sender,
    parts_of,
)

_LONGEST = 63  # of a line: then no label in it is too long, nor the name (RFC 1035 §2.3.4)
_WORD = "[a-zA-Z0-9_]+"
_LABEL = rf"{_WORD}(?:-+{_WORD})*"
_DOMAIN = rf"{_LABEL}\.{_WORD}(?:(?:\.|-+){_WORD})*(?<=[a-zA-Z])"  # a letter at the end: no address
_SENDER = re.compile(rf"(?:=|[a-zA-Z0-9_.+-]*)@{_DOMAIN}").fullmatch
_NAME = re.compile(rf"=?{_DOMAIN}").fullmatch
_HEX = re.compile("[0-9a-fA-F:]+").fullmatch

_A, _B, _C, _D = ({str(byte): byte << shift for byte in range(256)} for shift in (24, 16, 8, 0))
_HOST_BITS_4 = {str(length): (1 << 32 - length) - 1 for length in range(33)}
_HOST_BITS_6 = {str(length): (1 << 128 - length) - 1 for length in range(129)}
_ADDRESS, _NETWORK = Kind.ADDRESS, Kind.NETWORK


def plain_sender(line: str) -> Parts | None:
    """The parts of user@domain, @domain or =@domain."""
    if len(line) > _LONGEST or not _SENDER(line):
        return None
    return split_sender(line)


def split_sender(line: str) -> Parts:
    """The parts of what is known to be plain."""
    local, _, domain = line.lower().rpartition("@")
    if not local:
        return Domain, domain, False
    return (Domain, domain, True) if local == "=" else (Address, local, domain)


def plain_host(line: str) -> Parts | None:
    """The parts of an address, a network with its prefix length, name or =name."""
    interval = plain_interval(line) if line[:1].isdigit() or ":" in line else None
    if interval or len(line) > _LONGEST or not _NAME(line):
        return interval
    name = line.lower()
    return (Name, name[1:], True) if name[0] == "=" else (Name, name, False)


def plain_interval(line: str) -> Parts | None:
    """The parts of an address or of a network with its prefix length."""
    base, slash, length = line.partition("/")
    try:
        a, b, c, d = base.split(".")
        first = _A[a] | _B[b] | _C[c] | _D[d]
    except (ValueError, KeyError):
        return _ipv6(base, slash, length)
    host_bits = _HOST_BITS_4.get(length) if slash else 0
    if host_bits is None or first & host_bits:
        return None
    return Interval, 4, first, first | host_bits, _NETWORK if host_bits else _ADDRESS


def _ipv6(base: str, slash: str, length: str) -> Parts | None:
    host_bits = _HOST_BITS_6.get(length) if slash else 0
    if host_bits is None or not _HEX(base):
        return None
    head, gap, tail = base.partition("::")
    before, after = head.split(":") if head else [], tail.split(":") if tail else []
    missing = 8 - len(before) - len(after)
    if (missing < 1 if gap else missing != 0) or not all(1 <= len(group) <= 4 for group in before + after):
        return None
    first = int("".join([group.zfill(4) for group in (*before, *["0"] * missing, *after)]), 16)
    if first & host_bits or first >> 32 == 0xFFFF:  # the latter is an IPv4 address (RFC 4291 §2.5.5.2)
        return None
    return Interval, 6, first, first | host_bits, _NETWORK if host_bits else _ADDRESS


@dataclass(frozen=True, slots=True)
class Language:
    """How the entries of one kind of table are read: any entry; the plain ones at a glance; those again."""

    parse: Parse
    plain: Callable[[str], Parts | None]
    split: Callable[[str], Parts | None]


SENDERS = Language(parse_sender, plain_sender, split_sender)
HOSTS = Language(parse_host, plain_host, plain_host)


@dataclass(frozen=True, slots=True)
class Source:
    """Entries as they were written, one a line, and where they stand.

    `numbers` are the lines' numbers in the file `name`, or 0 alone for an entry in the configuration itself,
    where `name` is its key.  `comments` says that lines may hold comments or nothing, as in a table file.
    `negated` turns every entry into its opposite.  Of a file that is not ours there is no text:
    `made` are the entries that others have read there.
    """

    name: str
    text: str
    numbers: Sequence[int] = (0,)
    comments: bool = False
    negated: bool = False
    made: Sequence[Entry] = ()

    @property
    def lines(self) -> list[str]:
        """The lines of the text; an entry in the configuration is one, whatever is in it."""
        if not self.text:
            return [""] * len(self.numbers)
        return self.text.split("\n") if len(self.numbers) > 1 else [self.text]

    def entry(self, line: str, place: int, language: Language) -> tuple[Entry | None, list[Problem]]:
        """The entry in the line at `place`, and what is wrong or doubtful with it."""
        parts = language.plain(line)
        if parts:
            return Entry(line, made_of(parts), Where(self.name, self.numbers[place]), self.negated), []
        entry, problems = self._read(line, place, language.parse)
        return (replace(entry, exception=not entry.exception) if entry and self.negated else entry), problems

    def _read(self, line: str, place: int, parse: Parse) -> tuple[Entry | None, list[Problem]]:
        if self.made:
            return self.made[place], []
        return (parse_line if self.comments else parse_entry)(line, Where(self.name, self.numbers[place]), parse)


def table_file(name: str, text: str) -> Source:
    """The source that is a table file."""
    text = text.replace("\r\n", "\n")
    return Source(name, text, range(1, text.count("\n") + 2), comments=True)  # splitlines() would count more lines


def made_elsewhere(name: str, entries: Sequence[Entry]) -> Source:
    """The source that is a file of others, in which these entries were found."""
    return Source(name, "", range(len(entries)), made=tuple(entries))


# The mark of a row: the last day of its entry, and whether it is plain and an exception; 0 is no entry.
NEVER = date.max.toordinal()
_EXCEPTION, _PLAIN, _DAY = 1, 2, 2


class Entries:
    """All entries of a table by their rows.  A row is a line, counted from 1 through all sources.

    `problems` are what is wrong or doubtful with the lines that `read` has passed.
    """

    def __init__(self, sources: Iterable[Source], language: Language) -> None:
        # One without a line, such as an empty file of the MTA, would have a start and no row.
        given, self._language = tuple(sources), language
        self.sources = tuple(source for source in given if source.numbers)
        self._empty = dict.fromkeys((source.name for source in given if not source.numbers), 0)
        self._firsts = list(accumulate((len(source.numbers) for source in self.sources), initial=1))
        self._starts = array("Q", [0])
        self._marks = array("I", [0])
        self.problems: list[Problem] = []

    def read(self) -> Iterator[tuple[int, Parts]]:
        """Every row that holds an entry, with the parts of its pattern.  Nothing else works before this has ended."""
        plain = self._language.plain
        for source, first in zip(self.sources, self._firsts, strict=False):
            lines = source.lines
            self._starts.extend(accumulate(map((1).__add__, map(len, lines[:-1])), initial=0))
            self._marks.extend(repeat(NEVER << _DAY | _PLAIN | source.negated, len(lines)))
            for row, line in enumerate(lines, first):
                parts = plain(line) or self._carefully(source, row, line, row - first)
                if parts:
                    yield row, parts

    def again(self) -> Iterator[tuple[int, Parts]]:
        """What `read` said."""
        plain, split = self._language.plain, self._language.split
        for source, first in zip(self.sources, self._firsts, strict=False):
            marks = self._marks[first : first + len(source.numbers)]
            for row, (mark, line) in enumerate(zip(marks, source.lines, strict=True), first):
                if mark:
                    parts = split(line) if mark & _PLAIN else plain(_word(line))
                    yield row, parts or parts_of(self[row].pattern)

    def __getitem__(self, row: int) -> Entry:
        """The entry in a row that holds one."""
        place = bisect_right(self._firsts, row) - 1
        source, start = self.sources[place], self._starts[row]
        end = source.text.find("\n", start) if len(source.numbers) > 1 else -1
        line = source.text[start:end] if end >= 0 else source.text[start:]
        entry, _ = source.entry(line, row - self._firsts[place], self._language)
        assert entry is not None
        return entry

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, in the order of the lines."""
        return (self[row] for row, mark in enumerate(self._marks) if mark)

    def holding(self, text: str) -> Iterator[Entry]:
        """The entries whose text holds `text` in any case; of other lines nothing is made."""
        folded = text.casefold()
        for source, first in zip(self.sources, self._firsts, strict=False):
            for row, line in enumerate(source.lines, first):
                if self._marks[row] and (source.made or folded in line.casefold()):
                    entry = self[row]
                    if folded in entry.text.casefold():
                        yield entry

    def last_day(self, row: int) -> int:
        """The last day of the entry in `row`, as a number; NEVER if it has none."""
        return self._marks[row] >> _DAY

    def exception(self, row: int) -> bool:
        """True when the entry in `row` is an exception."""
        return bool(self._marks[row] & _EXCEPTION)

    def changes(self, old: Entries) -> tuple[int, int]:
        """How many entries came since `old`, and how many went.

        One whose sign or notes are others did both, one that only moved neither.
        """
        if self.sources == old.sources:
            return 0, 0
        came, went = set(self._written()), set(old._written())  # hashes: half the memory
        return len(came - went), len(went - came)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many entries there are in each file, by its name."""
        found = dict(self._empty)
        for source, first in zip(self.sources, self._firsts, strict=False):
            if source.comments or source.made:
                marks = self._marks[first : first + len(source.numbers)]
                found[source.name] = found.get(source.name, 0) + len(marks) - marks.count(0)
        return found

    def made_of(self, sources: Sequence[Source]) -> bool:
        """True when these are the entries of just these sources, in this order."""
        return self.sources == tuple(source for source in sources if source.numbers)

    def _carefully(self, source: Source, row: int, line: str, place: int) -> Parts | None:
        entry, problems = source.entry(line, place, self._language)
        self.problems += problems
        if entry is None:
            self._marks[row] = 0
            return None
        self._marks[row] = (entry.expires.toordinal() if entry.expires else NEVER) << _DAY | entry.exception
        return parts_of(entry.pattern)

    def _written(self) -> Iterator[int]:
        """A hash for each entry, of all that was written but comments."""
        for source, first in zip(self.sources, self._firsts, strict=False):
            for row, line in enumerate(source.lines, first):
                if self._marks[row]:
                    words = line.split()
                    if len(words) == 1:
                        yield hash((words[0], source.negated))
                    else:
                        entry = self[row]
                        more = (entry.expires, entry.why, entry.by, source.made and entry.pattern)
                        yield hash((entry.text, source.negated, *(more if any(more) else ())))


def _word(line: str) -> str:
    """The entry in a line without its sign and notes, unless there are quotes in it."""
    return line.split(None, 1)[0].removeprefix("!") if line else ""
