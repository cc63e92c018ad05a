"""Entries found by their pattern, and what makes an entry useless."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from turfmilter.core.entry import Entry, Problem
from turfmilter.core.pattern import Pattern


class PatternIndex:
    """At most one plain entry and one exception for a pattern; of duplicates the one that lasts longest.

    `duplicates` are warnings about the others.  On a tie the exception comes first if `exception_wins`.
    """

    def __init__(self, entries: Iterable[Entry], *, exception_wins: bool) -> None:
        plain: dict[Pattern, Entry] = {}
        exceptions: dict[Pattern, Entry] = {}
        self._sides = (exceptions, plain) if exception_wins else (plain, exceptions)
        self.duplicates: list[Problem] = []
        for entry in entries:
            side = exceptions if entry.exception else plain
            first = side.setdefault(entry.pattern, entry)
            if first is not entry:
                self.duplicates.append(_duplicate(entry, first))
                if not outlasts(first, entry):
                    side[entry.pattern] = entry

    def at(self, pattern: Pattern) -> Iterator[Entry]:
        """The entries with exactly this pattern, the winner first."""
        for side in self._sides:
            entry = side.get(pattern)
            if entry is not None:
                yield entry

    def useless(self, entry: Entry, wider: Iterable[Entry]) -> Iterator[Problem]:
        """A warning if `entry`, one of this index, can never decide or changes nothing.

        `wider` are the less specific entries that match all that it matches, the most specific first.
        """
        first, *second = self.at(entry.pattern)
        if first is not entry and outlasts(first, entry):
            yield hidden(entry, first)
            return
        below = chain(second if first is entry else (), wider)
        after = next(below, None)
        if after is not None and covers(after, entry):
            yield idle(entry, after)

    def __iter__(self) -> Iterator[Entry]:
        for side in self._sides:
            yield from side.values()

    def __len__(self) -> int:
        return sum(map(len, self._sides))


def changes(new: Iterable[Entry], old: Iterable[Entry]) -> tuple[int, int]:
    """How many entries came and how many went; one whose notes are others did both, one that only moved neither."""
    came, went = set(map(_written, new)), set(map(_written, old))
    return len(came - went), len(went - came)


def outlasts(one: Entry, other: Entry) -> bool:
    """True when `one` stands at least as long as `other`."""
    return one.expires is None or (other.expires is not None and one.expires >= other.expires)


def covers(after: Entry, entry: Entry) -> bool:
    """True when `entry` could go, because `after`, the next to decide, says the same for as long."""
    return after.exception == entry.exception and outlasts(after, entry)


def hidden(entry: Entry, by: Entry) -> Problem:
    """The warning that `entry` never decides."""
    if by.pattern == entry.pattern:
        wrong = f'never decides: "{by.text}" ({by.where}) wins the tie'
    else:
        wrong = f'never decides: more specific entries such as "{by.text}" ({by.where}) cover it'
    return Problem(entry.where, entry.text, wrong, warning=True)


def idle(entry: Entry, after: Entry) -> Problem:
    """The warning that `entry` makes no difference."""
    wrong = f'changes nothing: "{after.text}" ({after.where}) gives the same answer'
    return Problem(entry.where, entry.text, wrong, warning=True)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems by file and line."""
    return tuple(sorted(problems, key=lambda problem: (problem.where.source, problem.where.line)))


def _duplicate(entry: Entry, first: Entry) -> Problem:
    meant = "" if entry.expires == first.expires else "the one that lasts longer holds"
    return Problem(entry.where, entry.text, f'a duplicate of "{first.text}" ({first.where})', meant, warning=True)


def _written(entry: Entry) -> tuple[object, ...]:
    return entry.text, entry.exception, entry.expires, entry.why, entry.by
