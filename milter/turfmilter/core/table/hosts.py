"""A table of clients, local addresses or domains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache, partial

from turfmilter.core.address.mailbox import IPAddress, unmapped
from turfmilter.core.table.entries import HOSTS, Entries, Language, Source
from turfmilter.core.table.entry import Entry, Problem
from turfmilter.core.table.index import Keys, PatternIndex, in_order
from turfmilter.core.table.pattern import Interval, Name, Parts
from turfmilter.core.table.ranges import Intervals, Sweep

_MANY = 20_000  # entries, all of which are read within a tenth of a second
_REMEMBERED_NAMES = 256  # by the cache of match_name
# In addresses: the size of 10.0.0.0/8 and of fc00::/7, the largest networks that one organisation can have for itself.
_HUGE = {4: 1 << 24, 6: 1 << 121}


class HostTable:
    """Entries that name addresses and host or domain names.  The most specific one decides.

    An address is more specific than a range (smaller first), and a range than a network (longer prefix first);
    a name with more labels than one with fewer, and =name than name.
    If an entry and an exception are equally specific, the exception wins if `exception_wins`, else the entry.
    `vast` are the entries that match a large part of the Internet; `names` is True if any entry is a name.
    `problems` are errors and warnings about lines; a table with an error must not be used.
    `warnings` are about entries that are duplicates or make no difference.
    """

    def __init__(self, sources: Iterable[Source], *, exception_wins: bool, language: Language = HOSTS) -> None:
        self._entries = Entries(sources, language)
        intervals = {version: Intervals(version) for version in (4, 6)}
        names = Keys()
        names.add_all(self._read(intervals))
        vast = (row for version, most in _HUGE.items() for row in intervals[version].over(most))
        self.vast = tuple(map(self._entries.__getitem__, vast))
        self.problems = self._entries.problems
        self._names = PatternIndex(self._entries, names, exception_wins=exception_wins)
        self.names = len(self._names) > 0
        # Our own domains are looked up for every recipient.  The cache does not refer to self: in a reference cycle,
        # a replaced table would stay in memory until the garbage collector runs.
        self._by_name = lru_cache(maxsize=_REMEMBERED_NAMES)(partial(_match_name, self._names))
        sweeps = [Sweep(self._entries, intervals[version], exception_wins=exception_wins) for version in (4, 6)]
        self._segments = {version: sweep.segments for version, sweep in zip((4, 6), sweeps, strict=True)}
        found = [problem for sweep in sweeps for problem in (*sweep.duplicates, *sweep.useless)]
        self.warnings: tuple[Problem, ...] = in_order([*found, *self._names.duplicates, *self._useless_names()])
        self._len = len(self._names) + sum(len(i.rows) for i in intervals.values())
        self._len -= sum(len(sweep.duplicates) for sweep in sweeps)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that its entries come from."""
        return tuple(source.name for source in self._entries.sources if source.comments or source.made)

    def match_address(self, address: IPAddress, today: date) -> Entry | None:
        """Return the most specific entry, plain or exception, valid on `today`; None if none matches `address`."""
        address = unmapped(address)
        rows = self._segments[address.version].at(int(address))
        candidates = map(self._entries.__getitem__, rows)
        return next((entry for entry in candidates if entry.valid_on(today)), None) if rows else None

    def match_name(self, domain: str, today: date, *, exception: bool | None = None) -> Entry | None:
        """Return the most specific entry valid on `today` for the folded name `domain`; None if there is none.

        With `exception`, only exceptions (True) or only plain entries (False) are considered.
        """
        return self._by_name(domain, today, exception)

    def matching_address(self, address: IPAddress) -> list[Entry]:
        """Return every entry that matches, also one that has expired, the most specific first.

        Of a large table, only those that decide, or would decide if these expire: the others are not looked for.
        """
        address = unmapped(address)
        rows = self._segments[address.version].at(int(address))
        deciding = [self._entries[row] for row in rows]
        if self._len > _MANY:
            return deciding
        found = [entry for entry in self._entries if _includes(entry, address) and entry not in deciding]
        return [*deciding, *sorted(found, key=_width)]

    def matching_name(self, domain: str) -> list[Entry]:
        """Return every entry that matches the folded name, also one that has expired, the most specific first."""
        return [*self._names.at((Name, domain, True)), *_wider(self._names, domain, True)]

    def changes(self, old: HostTable) -> tuple[int, int]:
        """Return how many entries were added since `old`, and how many were removed."""
        return self._entries.changes(old._entries)

    def made_of(self, sources: Sequence[Source]) -> bool:
        """Return True if the table was built from exactly these sources, in this order."""
        return self._entries.made_of(sources)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of entries in each file, by its name."""
        return self._entries.sizes

    def expired(self, today: date) -> int:
        """Return how many entries expired before `today`."""
        return self._entries.expired(today)

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over every entry in the order of the lines, including those that expired or make no difference."""
        return iter(self._entries)

    def _read(self, intervals: Mapping[int, Intervals]) -> Iterator[tuple[int, Parts]]:
        """Read all entries; add those that are intervals to those of their version, and yield the names."""
        for row, parts in self._entries.read():
            if parts[0] is Interval:
                _, version, first, last, kind = parts
                intervals[version].add(row, first, last, kind)
            else:
                yield row, parts

    def _useless_names(self) -> Iterator[Problem]:
        if self._names:
            for row, parts in self._entries.again():
                if parts[0] is Name:
                    yield from self._names.useless(row, parts, _wider(self._names, *parts[1:]))


def _includes(entry: Entry, address: IPAddress) -> bool:
    pattern = entry.pattern
    if not isinstance(pattern, Interval) or pattern.version != address.version:
        return False
    return pattern.first <= int(address) <= pattern.last


def _width(entry: Entry) -> int:
    assert isinstance(entry.pattern, Interval)
    return entry.pattern.last - entry.pattern.first


def _match_name(names: PatternIndex, domain: str, today: date, exception: bool | None) -> Entry | None:
    for entry in (*names.at((Name, domain, True)), *_wider(names, domain, True)):
        if entry.valid_on(today) and (exception is None or entry.exception is exception):
            return entry
    return None


def _wider(names: PatternIndex, domain: str, exact: bool) -> list[Entry]:
    """Return the less specific entries that match everything that a name matches, the most specific first."""
    return names.each(names.around(Name, domain if exact else domain.partition(".")[2]))
