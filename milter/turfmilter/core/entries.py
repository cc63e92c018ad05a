"""The entries of a table, kept as they were written and made into objects one at a time.

A million Entry objects would fill 700 MB.  What is kept instead is text and numbers in a few big objects,
which processes share after a fork: looking something up writes no reference count into them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import accumulate, repeat

from turfmilter.core.entry import Entry, Problem, Where
from turfmilter.core.pattern import Parts, made_of, parse_host, parse_sender, parts_of
from turfmilter.core.plain import plain_host, plain_sender, split_sender
from turfmilter.core.tablefile import Parse, parse_entry, parse_line


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
