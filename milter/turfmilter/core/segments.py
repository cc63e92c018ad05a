"""Intervals that overlap, flattened once into disjoint segments, so that a look-up is one bisection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from heapq import heappop, heappush
from itertools import zip_longest

from turfmilter.core.entry import Entry, Problem
from turfmilter.core.index import covers, hidden, idle, outlasts
from turfmilter.core.pattern import Interval

_Pair = tuple[Interval, Entry]
# Sorts by specificity: kind, size, "loses a tie", place in the table; behind it the last address and the entry.
_Ranked = tuple[int, int, bool, int, int, Entry]
_Active = dict[date | None, list[_Ranked]]  # heaps by the last day on which their entries stand


class Segments:
    """The intervals of one address family, no two of them equal in pattern and sign.

    `useless` are warnings about those that never decide or change nothing.
    """

    def __init__(self, pairs: Iterable[_Pair], *, exception_wins: bool) -> None:
        ordered = sorted(pairs, key=lambda pair: pair[0].first)
        self._starts: list[int] = []
        self._chains: list[tuple[Entry, ...]] = []
        # For everything that decides somewhere: who could do it instead, None if anywhere nobody could.
        spare: dict[int, Entry | None] = {}
        for start, leading in _sweep(ordered, exception_wins):
            self._starts.append(start)
            self._chains.append(_chain(leading, spare))
        self.useless: list[Problem] = list(self._useless(ordered, spare))

    def at(self, number: int) -> tuple[Entry, ...]:
        """The entries that can decide about the address `number`, the most specific first, each outlasting the last."""
        place = bisect_right(self._starts, number)
        return self._chains[place - 1] if place else ()

    def _useless(self, pairs: Sequence[_Pair], spare: dict[int, Entry | None]) -> Iterator[Problem]:
        for interval, entry in pairs:
            if id(entry) not in spare:
                yield hidden(entry, self.at(interval.first)[-1])
                continue
            after = spare[id(entry)]
            if after is not None:
                yield idle(entry, after)


def _sweep(pairs: Sequence[_Pair], exception_wins: bool) -> Iterator[tuple[int, list[Entry]]]:
    """Each address at which the answer may change, with those that lead from there on, the most specific first."""
    active: _Active = {}
    place = 0
    start = 0
    while active or place < len(pairs):
        if not active:
            start = pairs[place][0].first
        while place < len(pairs) and pairs[place][0].first == start:
            interval, entry = pairs[place]
            loses = entry.exception is not exception_wins
            ranked = (interval.kind, interval.last - start, loses, place, interval.last, entry)
            heappush(active.setdefault(entry.expires, []), ranked)
            place += 1
        leading = _leading(active, start)
        yield start, [ranked[-1] for ranked in leading]
        changes = [ranked[-2] + 1 for ranked in leading] + [pair[0].first for pair in pairs[place : place + 1]]
        start = min(changes, default=start)


def _leading(active: _Active, start: int) -> list[_Ranked]:
    """The two best for each last day: others of that day are asked only when these have ended."""
    leading: list[_Ranked] = []
    for day, heap in list(active.items()):
        best: list[_Ranked] = []
        while heap and len(best) < 2:
            ranked = heappop(heap)
            if ranked[-2] >= start:
                best.append(ranked)
        for ranked in best:
            heappush(heap, ranked)
        leading += best
        if not heap:
            del active[day]
    return sorted(leading)


def _chain(leading: Sequence[Entry], spare: dict[int, Entry | None]) -> tuple[Entry, ...]:
    """Those of `leading` that can decide on some day: each stands longer than all before it."""
    chain: list[Entry] = []
    for entry, after in zip_longest(leading, leading[1:]):
        if chain and outlasts(chain[-1], entry):
            continue
        chain.append(entry)
        instead = after if after is not None and covers(after, entry) else None
        spare[id(entry)] = instead and spare.get(id(entry), instead)
    return tuple(chain)
