"""A table of clients, local addresses or domains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from turfmilter.core.entry import Entry, Problem
from turfmilter.core.index import PatternIndex, changes, in_order
from turfmilter.core.mailbox import IPAddress, unmapped
from turfmilter.core.name import enclosing
from turfmilter.core.pattern import Interval, Name
from turfmilter.core.segments import Segments


class HostTable:
    """Entries that name addresses and host or domain names.  The most specific one decides.

    An address comes before a range (smaller first), before a network (longer prefix first);
    a deeper name before a shorter one, =name before name.
    On a tie the exception decides if `exception_wins`, else the plain entry.
    `warnings` name the entries that are duplicates or make no difference.
    """

    def __init__(self, entries: Iterable[Entry], *, exception_wins: bool) -> None:
        index = PatternIndex(entries, exception_wins=exception_wins)
        self._index = index
        self._names = PatternIndex((e for e in index if isinstance(e.pattern, Name)), exception_wins=exception_wins)
        intervals = [(e.pattern, e) for e in index if isinstance(e.pattern, Interval)]
        self._segments = {
            version: Segments((pair for pair in intervals if pair[0].version == version), exception_wins=exception_wins)
            for version in (4, 6)
        }
        useless = [problem for segments in self._segments.values() for problem in segments.useless]
        self.warnings: tuple[Problem, ...] = in_order([*index.duplicates, *useless, *self._useless_names()])

    @property
    def names(self) -> bool:
        """True when a name could change the result: only then DNS need be asked."""
        return len(self._names) > 0

    def match_address(self, address: IPAddress, today: date) -> Entry | None:
        """The most specific entry that stands, plain or exception; None when none holds `address`."""
        address = unmapped(address)
        candidates = self._segments[address.version].at(int(address))
        return next((entry for entry in candidates if entry.stands(today)), None)

    def match_name(self, domain: str, today: date) -> Entry | None:
        """The most specific entry that stands for the folded name `domain`; None when there is none."""
        candidates = self._named(Name(domain, exact=True))
        return next((entry for entry in candidates if entry.stands(today)), None)

    def changes(self, old: HostTable) -> tuple[int, int]:
        """How many entries this table has that `old` had not, and how many it has no more."""
        return changes(self._index, old._index)

    def __len__(self) -> int:
        return len(self._index)

    def _named(self, name: Name) -> Iterator[Entry]:
        """The entries that match all that `name` matches, itself included, the most specific first."""
        yield from self._names.at(name)
        yield from self._wider(name)

    def _wider(self, name: Name) -> Iterator[Entry]:
        for domain in enclosing(name.domain if name.exact else name.domain.partition(".")[2]):
            yield from self._names.at(Name(domain, exact=False))

    def _useless_names(self) -> Iterator[Problem]:
        for entry in self._names:
            if isinstance(entry.pattern, Name):
                yield from self._names.useless(entry, self._wider(entry.pattern))
