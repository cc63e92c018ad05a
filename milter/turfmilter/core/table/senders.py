"""A table of mail addresses: whose mail is held, and who is exempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.table.entries import SENDERS, Entries, Source
from turfmilter.core.table.entry import Entry, Problem
from turfmilter.core.table.index import Keys, PatternIndex, in_order
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, Parts, parts_of


class SenderTable:
    """Entries that name mail addresses.  The most specific one decides; if two are equally specific, the exception.

    From the most specific on: an exact address, a glob (more literal characters first), =@domain,
    @domain (more labels first), user@.
    `problems` are errors and warnings about lines; a table with an error must not be used.
    `warnings` are about entries that are duplicates or make no difference.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._entries = Entries(sources, SENDERS)
        keys = Keys()
        keys.add_all(self._entries.read())
        self._kinds = keys.kinds
        self.problems = self._entries.problems
        self._index = PatternIndex(self._entries, keys, exception_wins=True)
        self._globs = self._by_domain() if Glob in keys.kinds else {}
        self.warnings: tuple[Problem, ...] = in_order([*self._index.duplicates, *self._useless()])

    def match(self, mailbox: Mailbox, today: date) -> Entry | None:
        """Return the most specific entry, plain or exception, valid on `today`; None if none matches."""
        candidates = self.matching(mailbox)
        return next((entry for entry in candidates if entry.valid_on(today)), None) if candidates else None

    def matching(self, mailbox: Mailbox) -> list[Entry]:
        """Return every entry that matches, also one that has expired, the most specific first."""
        address = (Address, mailbox.local, mailbox.domain)
        if mailbox.domain in self._globs:  # which are more specific than all but the address itself
            return [*self._index.at(address), *self._wider(address)]
        return self._index.each([address, *self._patterns(address)])

    def changes(self, old: SenderTable) -> tuple[int, int]:
        """Return how many entries were added since `old`, and how many were removed."""
        return self._entries.changes(old._entries)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over every entry in the order of the lines, including those that expired or make no difference."""
        return iter(self._entries)

    def holding(self, text: str) -> Iterator[Entry]:
        """Yield the entries whose text contains `text`, ignoring case."""
        return self._entries.holding(text)

    @property
    def sources(self) -> Sequence[Source]:
        """What it was built from, in order."""
        return self._entries.sources

    @property
    def table_files(self) -> tuple[str, ...]:
        """The names of the table files among its sources, as the configuration has them after "file:"."""
        return tuple(source.name for source in self._entries.sources if source.comments)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of entries in each file, by its name."""
        return self._entries.sizes

    def expired(self, today: date) -> int:
        """Return how many entries expired before `today`."""
        return self._entries.expired(today)

    def __len__(self) -> int:
        return len(self._index)

    def _wider(self, parts: Parts) -> list[Entry]:
        """Return the less specific entries that match everything that a pattern matches, the most specific first."""
        index, kind = self._index, parts[0]
        if kind is Domain:
            _, domain, exact = parts
            return index.each(index.around(Domain, domain if exact else domain.partition(".")[2]))
        if kind is Local:
            return []
        wider = index.each(self._patterns(parts))
        if kind is Address and parts[2] in self._globs:
            wider[:0] = [self._entries[row] for glob, row in self._globs[parts[2]] if glob.matches(parts[1])]
        return wider

    def _patterns(self, parts: Parts) -> list[Parts]:
        """Return the less specific patterns, other than globs, that match all that an address or glob matches."""
        kind, local, domain = parts
        patterns = self._index.around(Domain, domain)
        if Domain in self._kinds:
            patterns.insert(0, (Domain, domain, True))
        if kind is Address and Local in self._kinds:
            patterns.append((Local, local))
        return patterns

    def _useless(self) -> Iterator[Problem]:
        """Yield warnings about entries that never decide or change nothing."""
        for row, parts in self._entries.again():
            if parts[0] is not Glob:
                wider = self._wider(parts)
                if wider or row in self._index.tied:
                    yield from self._index.useless(row, parts, wider)
        for globs in self._globs.values():
            # Where a glob does not decide, a less specific one may, and which addresses both match is not worked out.
            # So a glob is only called useless if all less specific globs have its sign.
            below: set[bool] = set()
            for glob, row in reversed(globs):
                parts, exception = parts_of(glob), self._entries.exception(row)
                yield from self._index.useless(row, parts, self._wider(parts) if below <= {exception} else [])
                below.add(exception)

    def _by_domain(self) -> dict[str, list[tuple[Glob, int]]]:
        """Return the globs of each domain, the most specific first; of equally specific ones, exceptions first."""
        by_domain: dict[str, list[tuple[Glob, int]]] = {}
        for row, parts in self._entries.again():
            if parts[0] is Glob and row not in self._index.left_out:
                glob = Glob(*parts[1:])
                by_domain.setdefault(glob.domain, []).append((glob, row))
        for same_domain in by_domain.values():
            same_domain.sort(key=lambda pair: (-pair[0].literals, not self._entries.exception(pair[1])))
        return by_domain
