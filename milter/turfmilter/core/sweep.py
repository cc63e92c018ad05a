"""Intervals that overlap, flattened once into disjoint segments; and what makes an interval useless."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import heappop, heappush

from turfmilter.core.entries import Entries
from turfmilter.core.entry import Problem
from turfmilter.core.index import duplicate, hidden, idle
from turfmilter.core.segments import Intervals, Segments

_PLACE = 32  # bits
_NEVER_DECIDES, _NEEDED = -1, 0


class Sweep:
    """One walk through all addresses, from each at which the answer may change to the next.

    `duplicates` are warnings about equal intervals, of which the one that lasts longest is kept;
    `useless` about those that never decide or change nothing.
    """

    def __init__(self, entries: Entries, intervals: Intervals, *, exception_wins: bool) -> None:
        self._entries, self._intervals, self._exception_wins = entries, intervals, exception_wins
        # The intervals around the point that is looked at: by rank, the most specific first, and by their ends.
        self._active: list[int] = []
        self._ends: list[tuple[int, int]] = []
        # For each interval the row of an entry that could always decide instead, or one of the two words above.
        self._instead = array("q", [_NEVER_DECIDES]) * len(intervals.rows)
        self.duplicates: list[Problem] = []
        self.segments = Segments(intervals.bits)
        self._walk()
        self.useless: list[Problem] = list(self._useless())

    def _walk(self) -> None:
        intervals, append = self._intervals, self.segments.append
        order = sorted(range(len(intervals.rows)), key=intervals.firsts.__getitem__)
        starts = [*map(intervals.firsts.__getitem__, order), 1 << intervals.bits]
        step = 0
        while step < len(order) or self._active:
            point = starts[step]
            if self._active:
                point = min(point, self._ends[0][0] + 1)
            else:
                place, following = order[step], starts[step + 1]
                last = intervals.lasts[place]
                if following > last:  # alone, as most are
                    append(point, (intervals.rows[place],))
                    if following > last + 1:
                        append(last + 1, ())
                    self._instead[place] = _NEEDED
                    step += 1
                    continue
            while self._ends and self._ends[0][0] < point:
                rank = heappop(self._ends)[1]
                del self._active[bisect_left(self._active, rank)]
            while starts[step] == point and step < len(order):
                self._begin(order[step])
                step += 1
            append(point, self._deciding())

    def _begin(self, place: int) -> None:
        rank = self._rank(place) << _PLACE | place
        at = bisect_left(self._active, rank >> _PLACE << _PLACE)
        while at < len(self._active) and self._active[at] >> _PLACE == rank >> _PLACE:
            if self._leaves_out(place, self._active[at] & (1 << _PLACE) - 1):
                return
            at += 1
        insort(self._active, rank)
        heappush(self._ends, (self._intervals.lasts[place], rank))

    def _rank(self, place: int) -> int:
        """The smaller is the more specific: kind, size, "loses a tie"."""
        intervals = self._intervals
        size = intervals.lasts[place] - intervals.firsts[place]
        loses = self._entries.exception(intervals.rows[place]) is not self._exception_wins
        return (intervals.kind(place) << intervals.bits | size) << 1 | loses

    def _leaves_out(self, place: int, before: int) -> bool:
        """True when both, of one rank, are equal; the one at `before` then stands for both."""
        intervals = self._intervals
        if intervals.firsts[place] != intervals.firsts[before]:
            return False
        row, first = intervals.rows[place], intervals.rows[before]
        self.duplicates.append(duplicate(self._entries[row], self._entries[first]))
        if not self._entries.outlasts(first, row):
            intervals.rows[before] = row
        self._instead[place] = _NEEDED  # nothing more is said of it
        return True

    def _deciding(self) -> list[int]:
        """The rows of those that decide here on some day: each stands longer than all before it."""
        rows: list[int] = []
        at = before = 0
        while at < len(self._active):
            place, row = self._at(at)
            self._compare(place, row, self._next(at + 1, before))
            rows.append(row)
            at, before = self._next(at + 1, row), row
        return rows

    def _next(self, at: int, before: int) -> int:
        """The first from `at` on that stands longer than the entry in row `before`; row 0 never stands."""
        if self._entries.endless(before):
            return len(self._active)
        while at < len(self._active) and self._entries.outlasts(before, self._at(at)[1]):
            at += 1
        return at

    def _compare(self, place: int, row: int, after: int) -> None:
        """Note whether the entry in `row` is needed here, where the one `after` it comes next."""
        instead = _NEEDED
        if after < len(self._active):
            other = self._at(after)[1]
            if self._entries.covers(other, row):
                instead = other
        if self._instead[place] == _NEVER_DECIDES or instead == _NEEDED:
            self._instead[place] = instead

    def _at(self, at: int) -> tuple[int, int]:
        place = self._active[at] & (1 << _PLACE) - 1
        return place, self._intervals.rows[place]

    def _useless(self) -> Iterator[Problem]:
        for place, instead in enumerate(self._instead):
            if instead != _NEEDED:
                entry = self._entries[self._intervals.rows[place]]
                if instead == _NEVER_DECIDES:
                    yield hidden(entry, self._entries[self.segments.at(self._intervals.firsts[place])[-1]])
                else:
                    yield idle(entry, self._entries[instead])
