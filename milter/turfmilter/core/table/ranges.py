"""Overlapping networks and ranges as disjoint segments: a lookup is one binary search."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from heapq import heappop, heappush

from turfmilter.core.table.entries import NEVER, Entries
from turfmilter.core.table.entry import Problem
from turfmilter.core.table.index import duplicate, hidden, idle
from turfmilter.core.table.pattern import Kind

_HALF, _LOW = 64, (1 << 64) - 1
_RANGE = Kind.RANGE


class Intervals:
    """The intervals of one address family in columns, each with the row of its entry."""

    def __init__(self, version: int) -> None:
        self.bits = 32 if version == 4 else 128
        self.rows, self.firsts, self.lasts = array("I"), self.column(), self.column()
        self._ranges: set[int] = set()

    def column(self) -> MutableSequence[int]:
        """Room for addresses; those of IPv6 are too long for an array."""
        return array("I") if self.bits == 32 else []

    def add(self, row: int, first: int, last: int, kind: Kind) -> None:
        """Add the interval that the entry in `row` names."""
        if kind is _RANGE:
            self._ranges.add(len(self.rows))
        self.rows.append(row)
        self.firsts.append(first)
        self.lasts.append(last)

    def over(self, most: int) -> list[int]:
        """The rows of intervals of more than `most` addresses."""
        ends = zip(self.firsts, self.lasts, self.rows, strict=True)
        return [row for first, last, row in ends if last - first >= most]

    def kind(self, place: int) -> Kind:
        """How the interval at `place` was written."""
        if self.firsts[place] == self.lasts[place]:
            return Kind.ADDRESS
        return _RANGE if place in self._ranges else Kind.NETWORK


class Segments:
    """From each of the `points` on, up to the next, others decide.

    Nearly always it is one: its row, or 0 for nobody, stands in `rows`.  `later` has for a few of these places
    the rows that follow when that entry has expired.
    """

    def __init__(
        self, bits: int, points: MutableSequence[int], rows: array[int], later: dict[int, Sequence[int]]
    ) -> None:
        wide = bits > _HALF
        self._highs = array("Q", [point >> _HALF for point in points] if wide else ())
        self._lows = array("Q", [point & _LOW for point in points]) if wide else points
        self._rows, self._later = rows, later

    def at(self, number: int) -> Sequence[int]:
        """The rows that can decide about the address `number`: the most specific first, each outlasting the last."""
        begin, end = 0, len(self._lows)
        if self._highs:
            begin = bisect_left(self._highs, number >> _HALF)
            end = bisect_right(self._highs, number >> _HALF, begin)
        place = bisect_right(self._lows, number & _LOW, begin, end) - 1
        row = self._rows[place] if place >= 0 else 0
        if not row:
            return ()
        return (row, *self._later[place]) if place in self._later else (row,)


_PLACE, _MASK = 32, (1 << 32) - 1  # in a rank the place of the interval stands last
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
        self.segments = Segments(intervals.bits, *self._walk())
        self.useless: list[Problem] = list(self._useless())

    def _walk(self) -> tuple[MutableSequence[int], array[int], dict[int, Sequence[int]]]:
        """The points, for each the row of who decides from there on or 0, and where they expire those that follow."""
        intervals, active, ends, instead = self._intervals, self._active, self._ends, self._instead
        lasts = intervals.lasts
        points, rows = intervals.column(), array("I")
        later: dict[int, Sequence[int]] = {}
        order = sorted(range(len(intervals.rows)), key=list(intervals.firsts).__getitem__)
        starts = [*map(intervals.firsts.__getitem__, order), 1 << intervals.bits]
        step, steps = 0, len(order)
        while step < steps or active:
            point = starts[step]
            if not active:
                place, following = order[step], starts[step + 1]
                last = lasts[place]
                if following > last:  # alone, as most are
                    points.append(point)
                    rows.append(intervals.rows[place])
                    if following > last + 1:
                        points.append(last + 1)
                        rows.append(0)
                    instead[place] = _NEEDED
                    step += 1
                    continue
            elif ends[0][0] < point:
                point = ends[0][0] + 1
                if point >> intervals.bits:
                    break
                while ends and ends[0][0] < point:
                    del active[bisect_left(active, heappop(ends)[1])]
            while starts[step] == point and step < steps:
                self._begin(order[step])
                step += 1
            deciding = self._deciding()
            if len(deciding) > 1:
                later[len(rows)] = deciding[1:]
            points.append(point)
            rows.append(deciding[0] if deciding else 0)
        return points, rows, later

    def _begin(self, place: int) -> None:
        intervals, active = self._intervals, self._active
        first, last = intervals.firsts[place], intervals.lasts[place]
        loses = self._entries.exception(intervals.rows[place]) is not self._exception_wins
        rank = (intervals.kind(place) << intervals.bits | last - first) << 1 | loses  # the more specific, the smaller
        at = bisect_left(active, rank << _PLACE)
        while at < len(active) and active[at] >> _PLACE == rank:
            if self._leaves_out(place, active[at] & _MASK):
                return
            at += 1
        insort(active, rank << _PLACE | place)
        heappush(self._ends, (last, rank << _PLACE | place))

    def _leaves_out(self, place: int, before: int) -> bool:
        """True when both, of one rank, are equal; the one at `before` then stands for both."""
        intervals = self._intervals
        if intervals.firsts[place] != intervals.firsts[before]:
            return False
        row, first = intervals.rows[place], intervals.rows[before]
        self.duplicates.append(duplicate(self._entries[row], self._entries[first]))
        if self._entries.last_day(first) < self._entries.last_day(row):
            intervals.rows[before] = row
        self._instead[place] = _NEEDED  # nothing more is said of it
        return True

    def _deciding(self) -> list[int]:
        """The rows of those that decide here on some day: each stands longer than all before it."""
        active, rows, last_day = self._active, self._intervals.rows, self._entries.last_day
        deciding: list[int] = []
        before = 0
        for at, ranked in enumerate(active):
            place = ranked & _MASK
            row = rows[place]
            day = last_day(row)
            if day > before:
                deciding.append(row)
                self._compare(place, row, active[at + 1 :], before)
                before = day
                if day == NEVER:
                    break
        return deciding

    def _compare(self, place: int, row: int, active: Iterable[int], before: int) -> None:
        """Note who decides here instead of the entry in `row` if that goes: the next that stands after day `before`."""
        if self._instead[place] == _NEEDED:
            return
        entries, rows = self._entries, self._intervals.rows
        after = next((rows[ranked & _MASK] for ranked in active if entries.last_day(rows[ranked & _MASK]) > before), 0)
        same = after and entries.exception(after) is entries.exception(row)
        instead = after if same and entries.last_day(after) >= entries.last_day(row) else _NEEDED
        if self._instead[place] == _NEVER_DECIDES or instead == _NEEDED:
            self._instead[place] = instead

    def _useless(self) -> Iterator[Problem]:
        for place, instead in enumerate(self._instead):
            if instead != _NEEDED:
                entry = self._entries[self._intervals.rows[place]]
                if instead == _NEVER_DECIDES:
                    yield hidden(entry, self._entries[self.segments.at(self._intervals.firsts[place])[-1]])
                else:
                    yield idle(entry, self._entries[instead])
