"""All entries of a table, kept as the text they were read from and two numbers for each line.

README.md in this folder explains the layout, and why a table is not made of objects.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import accumulate, chain, repeat

from turfmilter.core.table.entry import Entry, Parse, Problem, Where, parse_entry, parse_line
from turfmilter.core.table.pattern import Parts, made_of, parse_host, parse_sender, parts_of
from turfmilter.core.table.plain import plain_host, plain_sender, split_sender, without_notes


@dataclass(frozen=True, slots=True)
class Language:
    """How the entries of one kind of table are parsed.

    `parse` parses any entry, `plain` recognises plain ones quickly, `split` splits a line again that `plain` accepted.
    """

    parse: Parse
    plain: Callable[[str], Parts | None]
    split: Callable[[str], Parts | None]


SENDERS = Language(parse_sender, plain_sender, split_sender)
HOSTS = Language(parse_host, plain_host, plain_host)


# How much of a text is split into lines at once, in characters.  A list of all lines would need four times the memory
# of a text of short lines, and its objects would have left the processor's cache when they are read.
_BATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class Source:
    """The text of some entries, one on each line, and the place where they were written.

    `numbers` are the line numbers in the file `name`, or only 0 for an entry in the configuration itself,
    where `name` is its key.  With `comments`, lines may contain comments or nothing, as in a table file.
    `negated` inverts the sign of every entry.  A file in a foreign format has no text here:
    `made` are the entries that its importer found.
    """

    name: str
    text: str
    numbers: Sequence[int] = (0,)
    comments: bool = False
    negated: bool = False
    made: Sequence[Entry] = ()

    @property
    def lines(self) -> Iterator[str]:
        """The lines of the text; an entry in the configuration is one line, even with a line feed in it."""
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[str]]:
        """Yield the lines, some thousands at a time."""
        if self.made or len(self.numbers) == 1:
            yield [self.text] * len(self.numbers)
            return
        begin = 0
        while (end := self.text.find("\n", begin + _BATCH)) >= 0:
            yield self.text[begin:end].split("\n")
            begin = end + 1
        yield self.text[begin:].split("\n")

    def entry(self, line: str, place: int, language: Language) -> tuple[Entry | None, list[Problem]]:
        """Parse the line at `place`; return its entry, None if it has no valid one, and its errors and warnings."""
        parts = language.plain(line)
        if parts:
            return Entry(line, made_of(parts), Where(self.name, self.numbers[place]), self.negated), []
        entry, problems = self._parse(line, place, language.parse)
        return (replace(entry, exception=not entry.exception) if entry and self.negated else entry), problems

    def _parse(self, line: str, place: int, parse: Parse) -> tuple[Entry | None, list[Problem]]:
        if self.made:
            return self.made[place], []
        return (parse_line if self.comments else parse_entry)(line, Where(self.name, self.numbers[place]), parse)


def table_file(name: str, text: str) -> Source:
    """Return the source for a table file with this text."""
    text = text.replace("\r\n", "\n")
    # Editors count line feeds only; splitlines() would also end a line at a form feed, U+2028 and others.
    return Source(name, text, range(1, text.count("\n") + 2), comments=True)


def made_elsewhere(name: str, entries: Sequence[Entry]) -> Source:
    """Return the source for a file in a foreign format, in which an importer found these entries."""
    return Source(name, "", range(len(entries)), made=tuple(entries))


# A mark is what must be known of a row without parsing its line again, in 32 bits ("I" of array):
#   bit 0        the entry is an exception
#   bit 1        the line is plain, so Language.split can read it
#   bit 2        the line has notes, a sign or both besides a plain entry, so Language.split can read its first word
#   bits 3 to 24 the entry's last day, as date.toordinal() counts days
# Days are counted from 1, so the mark of an entry is never 0: a mark of 0 means that the row has no valid entry.
_EXCEPTION = 1 << 0
_PLAIN = 1 << 1
_NOTED = 1 << 2
_DAY_SHIFT = 3  # bits
NEVER = date.max.toordinal()  # days (3,652,059: 22 bits); the last day of an entry that does not expire


def _mark(expires: date | None, kind: int = 0, *, exception: bool) -> int:
    """Return the mark of an entry; `kind` is _PLAIN, _NOTED, or 0 for an entry that only the careful parser reads."""
    day = expires.toordinal() if expires else NEVER
    return day << _DAY_SHIFT | kind | (_EXCEPTION if exception else 0)


class Entries:
    """All entries of a table by row.  A row is the number of a line, counted from 1 through all sources.

    Row 0 does not exist, so that 0 can mean "no entry" wherever rows are stored.
    `problems` are the errors and warnings about the lines that `read` has passed.
    """

    def __init__(self, sources: Iterable[Source], language: Language) -> None:
        given, self._language = tuple(sources), language
        # A source without lines, such as an empty file of the MTA, has no row for _firsts and _starts to name.
        self.sources = tuple(source for source in given if source.numbers)
        self._empty = dict.fromkeys((source.name for source in given if not source.numbers), 0)
        # The first row of each source, and after them the row that a further source would begin with.
        self._firsts = list(accumulate((len(source.numbers) for source in self.sources), initial=1))
        # For each row: where its line begins in the text of its source, in characters, and its mark.
        self._starts = array("Q", [0])
        self._marks = array("I", [0])
        self.problems: list[Problem] = []

    def read(self) -> Iterator[tuple[int, Parts]]:
        """Yield every row that has a valid entry, with the parts of its pattern.

        The other methods work only after this has been exhausted, once.
        """
        plain = self._language.plain
        for source, first in zip(self.sources, self._firsts, strict=False):
            self._starts.append(0)
            begin = first
            for lines in source.batches():
                self._begin(lines, negated=source.negated)
                for row, line in enumerate(lines, begin):
                    parts = plain(line) or self._read_other(source, row, line, row - first)
                    if parts:
                        yield row, parts
                begin += len(lines)
            self._starts.pop()

    def again(self) -> Iterator[tuple[int, Parts]]:
        """Yield what `read` yielded, from the marks and the text."""
        plain, split = self._language.plain, self._language.split
        for source, first in zip(self.sources, self._firsts, strict=False):
            marks = self._marks[first : first + len(source.numbers)]
            for row, (mark, line) in enumerate(zip(marks, source.lines, strict=True), first):
                if mark:
                    word = line if mark & _PLAIN else _first_word(line)
                    parts = split(word) if mark & (_PLAIN | _NOTED) else plain(word)
                    yield row, parts or parts_of(self[row].pattern)

    def __getitem__(self, row: int) -> Entry:
        """Parse and return the entry in `row`, which must have a valid one."""
        place = bisect_right(self._firsts, row) - 1
        source, start = self.sources[place], self._starts[row]
        end = source.text.find("\n", start) if len(source.numbers) > 1 else -1
        line = source.text[start:end] if end >= 0 else source.text[start:]
        entry, _ = source.entry(line, row - self._firsts[place], self._language)
        assert entry is not None
        return entry

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over every entry, in the order of the lines."""
        return (self[row] for row, mark in enumerate(self._marks) if mark)

    def holding(self, text: str) -> Iterator[Entry]:
        """Yield the entries whose text contains `text`, ignoring case; lines that do not are not parsed."""
        folded = text.casefold()
        for source, first in zip(self.sources, self._firsts, strict=False):
            for row, line in enumerate(source.lines, first):
                if self._marks[row] and (source.made or folded in line.casefold()):
                    entry = self[row]
                    if folded in entry.text.casefold():
                        yield entry

    def last_day(self, row: int) -> int:
        """Return the last day of the entry in `row`, as date.toordinal() does; NEVER if it does not expire."""
        return self._marks[row] >> _DAY_SHIFT

    def exception(self, row: int) -> bool:
        """Return True if the entry in `row` is an exception."""
        return bool(self._marks[row] & _EXCEPTION)

    def changes(self, old: Entries) -> tuple[int, int]:
        """Return how many entries were added since `old`, and how many were removed.

        An entry whose sign or notes changed counts in both numbers; one that only moved, in neither.
        """
        if self.sources == old.sources:
            return 0, 0
        now, before = set(self._hashes()), set(old._hashes())
        return len(now - before), len(before - now)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The number of entries in each file, by its name."""
        found = dict(self._empty)
        for source, first in zip(self.sources, self._firsts, strict=False):
            if source.comments or source.made:
                marks = self._marks[first : first + len(source.numbers)]
                found[source.name] = found.get(source.name, 0) + len(marks) - marks.count(0)
        return found

    def expired(self, today: date) -> int:
        """Return how many entries expired before `today`; a million take about 50 ms."""
        first = 1 << _DAY_SHIFT  # the smallest mark of an entry: those of rows without one are 0
        return sum(first <= mark < today.toordinal() << _DAY_SHIFT for mark in self._marks)

    def made_of(self, sources: Sequence[Source]) -> bool:
        """Return True if these are the entries of exactly these sources, in this order."""
        return self.sources == tuple(source for source in sources if source.numbers)

    def _begin(self, lines: Sequence[str], *, negated: bool) -> None:
        """Append the starts and the marks of these lines, and the start of the line that would follow them."""
        # A line begins after the line feed that ends the previous line.
        self._starts.extend(accumulate(map((1).__add__, map(len, lines)), initial=self._starts.pop()))
        # Nearly all lines are plain, so all are marked so first; _read_other corrects the others.
        self._marks.extend(repeat(_mark(None, _PLAIN, exception=negated), len(lines)))

    def _read_other(self, source: Source, row: int, line: str, place: int) -> Parts | None:
        """Read and mark a line that is more than a plain entry: the same with a sign and notes, or anything else."""
        word, exception, expires = without_notes(line) or ("", False, None)
        parts = self._language.plain(word)
        if parts:
            self._marks[row] = _mark(expires, _NOTED, exception=exception is not source.negated)
            return parts
        entry, problems = source.entry(line, place, self._language)
        self.problems += problems
        if entry is None:
            self._marks[row] = 0
            return None
        self._marks[row] = _mark(entry.expires, exception=entry.exception)
        return parts_of(entry.pattern)

    def _hashes(self) -> Iterator[int]:
        """Yield a hash of each entry with its notes, without comments.  A set of texts would need twice the memory."""
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


def _first_word(line: str) -> str:
    """Return the entry in a line without its sign and notes, or only a part of it if it contains quoted blanks."""
    return line.split(None, 1)[0].removeprefix("!") if line else ""
