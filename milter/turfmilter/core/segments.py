"""Addresses by number: which entry decides from one number to the next, so that a look-up is one bisection."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import MutableSequence, Sequence

from turfmilter.core.pattern import Kind

_HALF, _LOW = 64, (1 << 64) - 1


class Intervals:
    """The intervals of one address family in columns, each with the row of its entry."""

    def __init__(self, version: int) -> None:
        self.bits = 32 if version == 4 else 128
        self.rows = array("I")
        self.firsts: MutableSequence[int] = array("I") if version == 4 else []
        self.lasts: MutableSequence[int] = array("I") if version == 4 else []
        self._ranges: set[int] = set()

    def add(self, row: int, first: int, last: int, kind: Kind) -> None:
        """Add the interval that the entry in `row` names."""
        if kind is Kind.RANGE:
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
        return Kind.RANGE if place in self._ranges else Kind.NETWORK


class Segments:
    """For each number from which on others decide, the rows of those who do.

    Nearly always it is one: its row, or 0 for nobody, stands in an array.  `_later` has those that follow
    when that entry has expired.  Numbers of IPv6 are too long for an array and stand in two.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._highs, self._lows, self._rows = array("Q"), array("Q"), array("I")
        self._later: dict[int, Sequence[int]] = {}

    def append(self, start: int, rows: Sequence[int]) -> None:
        """From `start` on these decide: the most specific first, each outlasting the last."""
        if start >> self._bits:  # behind the last address
            return
        if len(rows) > 1:
            self._later[len(self._rows)] = rows[1:]
        if self._bits > _HALF:
            self._highs.append(start >> _HALF)
        self._lows.append(start & _LOW)
        self._rows.append(rows[0] if rows else 0)

    def at(self, number: int) -> Sequence[int]:
        """The rows that can decide about the address `number`."""
        begin, end = 0, len(self._lows)
        if self._bits > _HALF:
            begin = bisect_left(self._highs, number >> _HALF)
            end = bisect_right(self._highs, number >> _HALF, begin)
        place = bisect_right(self._lows, number & _LOW, begin, end) - 1
        row = self._rows[place] if place >= 0 else 0
        return (row, *self._later.get(place, ())) if row else ()
