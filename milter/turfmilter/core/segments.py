"""Addresses by number: which entry decides from one number to the next, so that a look-up is one bisection."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import MutableSequence, Sequence

from turfmilter.core.pattern import Kind

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
