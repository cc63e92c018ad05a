"""Overlapping networks and ranges as disjoint segments, so that a lookup is one binary search.

README.md in this folder explains the layout of a rank and of the segments.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from heapq import heappop, heappush

from turfmilter.core.table.entries import NEVER, Entries
from turfmilter.core.table.entry import Problem
from turfmilter.core.table.index import duplicate, hidden, idle
from turfmilter.core.table.pattern import IntervalKind

# An IPv6 address has 128 bits and an array item at most 64, so its halves are stored in two arrays.
_HALF_BITS = 64
_LOW_HALF = (1 << _HALF_BITS) - 1
_RANGE = IntervalKind.RANGE


class Intervals:
    """The intervals of one address family in columns, each with the row of its entry.

    A place is the position of an interval in the columns; `bits` is the length of an address.
    """

    def __init__(self, version: int) -> None:
        self.bits = 32 if version == 4 else 128
        self.rows, self.firsts, self.lasts = array("I"), self.column(), self.column()
        self._ranges: set[int] = set()

    def column(self) -> MutableSequence[int]:
        """Return an empty column for addresses; those of IPv6 are too long for an array."""
        return array("I") if self.bits == 32 else []

    def add(self, row: int, first: int, last: int, kind: IntervalKind) -> None:
        """Add the interval of the entry in `row`."""
        if kind is _RANGE:
            self._ranges.add(len(self.rows))
        self.rows.append(row)
        self.firsts.append(first)
        self.lasts.append(last)

    def over(self, most: int) -> list[int]:
        """Return the rows of intervals of more than `most` addresses."""
        ends = zip(self.firsts, self.lasts, self.rows, strict=True)
        return [row for first, last, row in ends if last - first >= most]

    def kind(self, place: int) -> IntervalKind:
        """Return how the interval at `place` was written."""
        if self.firsts[place] == self.lasts[place]:
            return IntervalKind.ADDRESS
        return _RANGE if place in self._ranges else IntervalKind.NETWORK


class Segments:
    """What decides about each address: a segment is the addresses from one of the `points` up to the next.

    `rows` has the row of the entry that decides in each segment, 0 if none does.
    `later` has, for the few segments where that entry expires, the rows that take over one after another.
    """

    def __init__(
        self, bits: int, points: MutableSequence[int], rows: array[int], later: dict[int, Sequence[int]]
    ) -> None:
        wide = bits > _HALF_BITS
        self._highs = array("Q", [point >> _HALF_BITS for point in points] if wide else ())
        self._lows = array("Q", [point & _LOW_HALF for point in points]) if wide else points
        self._rows, self._later = rows, later

    def at(self, number: int) -> Sequence[int]:
        """Return the rows that can decide about the address `number`, the most specific first.

        Each row's entry lasts longer than the entry of the row in front of it.
        """
        begin, end = 0, len(self._lows)
        if self._highs:  # only points with this upper half are searched; with none, the last one below `begin` is right
            begin = bisect_left(self._highs, number >> _HALF_BITS)
            end = bisect_right(self._highs, number >> _HALF_BITS, begin)
        place = bisect_right(self._lows, number & _LOW_HALF, begin, end) - 1
        row = self._rows[place] if place >= 0 else 0
        if not row:
            return ()
        return (row, *self._later[place]) if place in self._later else (row,)


# A rank orders the intervals that contain one address; the smallest decides.  From the upper bits down:
#   the kind (address, range, network) | last - first, in `bits` bits | 1 bit: loses a tie | 32 bits: the place
# The kind comes first because a range decides before any network, whatever their sizes.  The place only makes
# each number unique, so that bisect finds the one to remove; without it, equal intervals have equal ranks.
_PLACE_BITS = 32
_PLACE = (1 << _PLACE_BITS) - 1

# In `_instead` of Sweep, beside rows, which are counted from 1.
_NEVER_DECIDES, _NEEDED = -1, 0


class Sweep:
    """One walk through all addresses, from each point at which the answer may change to the next.

    `duplicates` are warnings about equal intervals, of which the one that lasts longest is kept;
    `useless` are warnings about those that never decide or change nothing.
    """

    def __init__(self, entries: Entries, intervals: Intervals, *, exception_wins: bool) -> None:
        self._entries, self._intervals, self._exception_wins = entries, intervals, exception_wins
        # The intervals that contain the current point: their ranks in order, and a heap of (last address, rank).
        self._active: list[int] = []
        self._ends: list[tuple[int, int]] = []
        # For each place: the row that would decide everywhere without it, or one of the two constants above.
        self._instead = array("q", [_NEVER_DECIDES]) * len(intervals.rows)
        self.duplicates: list[Problem] = []
        self.segments = Segments(intervals.bits, *self._walk())
        self.useless: list[Problem] = list(self._useless())

    def _walk(self) -> tuple[MutableSequence[int], array[int], dict[int, Sequence[int]]]:
        """Return the points; for each, the row that decides from there on, or 0; and the rows that take over later."""
        intervals, active, ends, instead = self._intervals, self._active, self._ends, self._instead
        lasts = intervals.lasts
        points, rows = intervals.column(), array("I")
        later: dict[int, Sequence[int]] = {}
        order = sorted(range(len(intervals.rows)), key=list(intervals.firsts).__getitem__)
        # Behind the first addresses, the end of the address space, so that there is always a following one.
        starts = [*map(intervals.firsts.__getitem__, order), 1 << intervals.bits]
        step, steps = 0, len(order)
        while step < steps or active:
            point = starts[step]
            if not active:
                place, following = order[step], starts[step + 1]
                last = lasts[place]
                if following > last:  # it meets no other interval, as most do not: no need to rank it
                    points.append(point)
                    rows.append(intervals.rows[place])
                    if following > last + 1:
                        points.append(last + 1)
                        rows.append(0)
                    instead[place] = _NEEDED
                    step += 1
                    continue
            elif ends[0][0] < point:  # an interval ends in front of the next start
                point = ends[0][0] + 1
                if point >> intervals.bits:  # it reaches the end of the address space, where no point follows
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
        """Add the interval at `place` to the active ones, unless it is a duplicate of one of them."""
        active, rank = self._active, self._rank(place)
        at = bisect_left(active, rank)
        while at < len(active) and active[at] >> _PLACE_BITS == rank >> _PLACE_BITS:
            if self._leaves_out(place, active[at] & _PLACE):
                return
            at += 1
        insort(active, rank | place)
        heappush(self._ends, (self._intervals.lasts[place], rank | place))

    def _rank(self, place: int) -> int:
        """Return the rank of the interval at `place`, with a place of 0."""
        intervals = self._intervals
        size = intervals.lasts[place] - intervals.firsts[place]
        loses = self._entries.exception(intervals.rows[place]) is not self._exception_wins
        return ((intervals.kind(place) << intervals.bits | size) << 1 | loses) << _PLACE_BITS

    def _leaves_out(self, place: int, before: int) -> bool:
        """Return True if the intervals, which have one rank, are equal; the one at `before` then serves for both."""
        intervals = self._intervals
        if intervals.firsts[place] != intervals.firsts[before]:
            return False
        row, first = intervals.rows[place], intervals.rows[before]
        self.duplicates.append(duplicate(self._entries[row], self._entries[first]))
        if self._entries.last_day(first) < self._entries.last_day(row):
            intervals.rows[before] = row
        self._instead[place] = _NEEDED  # the warning about the duplicate is enough
        return True

    def _deciding(self) -> list[int]:
        """Return the rows that decide here on some day, each lasting longer than all in front of it."""
        active, rows, last_day = self._active, self._intervals.rows, self._entries.last_day
        deciding: list[int] = []
        before = 0
        for at, ranked in enumerate(active):
            place = ranked & _PLACE
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
        """Record which entry would decide here without that in `row`: the next of `active` that outlasts `before`."""
        if self._instead[place] == _NEEDED:
            return
        entries, rows = self._entries, self._intervals.rows
        after = next(
            (rows[ranked & _PLACE] for ranked in active if entries.last_day(rows[ranked & _PLACE]) > before), 0
        )
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
