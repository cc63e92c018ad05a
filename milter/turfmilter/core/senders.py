"""A table of mail addresses: whose mail is put aside, and who is exempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from turfmilter.core.entry import Entry, Problem
from turfmilter.core.index import PatternIndex, changes, in_order
from turfmilter.core.mailbox import Mailbox
from turfmilter.core.name import enclosing
from turfmilter.core.pattern import Address, Domain, Glob, Local, Pattern


class SenderTable:
    """Entries that name mail addresses.  The most specific one decides, on a tie an exception.

    An exact address comes before a glob (more characters written out first), before =@domain,
    before @domain (deeper first), before user@.
    `warnings` name the entries that are duplicates or make no difference.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._index = PatternIndex(entries, exception_wins=True)
        self._globs = _globs_by_domain(self._index)
        self.warnings: tuple[Problem, ...] = in_order([*self._index.duplicates, *self._useless()])

    def match(self, mailbox: Mailbox, today: date) -> Entry | None:
        """The most specific entry that stands, plain or exception; None when none matches."""
        address = Address(mailbox.local, mailbox.domain)
        for candidates in (self._index.at(address), self._wider(address)):
            for entry in candidates:
                if entry.stands(today):
                    return entry
        return None

    def changes(self, old: SenderTable) -> tuple[int, int]:
        """How many entries this table has that `old` had not, and how many it has no more."""
        return changes(self._index, old._index)

    def __len__(self) -> int:
        return len(self._index)

    def _wider(self, pattern: Pattern) -> Iterator[Entry]:
        """The less specific entries that match all that `pattern` matches, the most specific first."""
        match pattern:
            case Address(local, domain):
                yield from (entry for glob, entry in self._globs.get(domain, ()) if glob.matches(local))
                yield from self._index.at(Domain(domain, exact=True))
                yield from self._around(domain)
                yield from self._index.at(Local(local))
            case Glob(_, domain):
                yield from self._index.at(Domain(domain, exact=True))
                yield from self._around(domain)
            case Domain(domain, exact):
                yield from self._around(domain if exact else domain.partition(".")[2])

    def _around(self, domain: str) -> Iterator[Entry]:
        for name in enclosing(domain):
            yield from self._index.at(Domain(name, exact=False))

    def _useless(self) -> Iterator[Problem]:
        """Warnings about entries that never decide or change nothing."""
        for entry in self._index:
            if not isinstance(entry.pattern, Glob):
                yield from self._index.useless(entry, self._wider(entry.pattern))
        for globs in self._globs.values():
            # What a glob leaves goes to a less specific glob first, if that happens to match too.
            below: set[bool] = set()
            for glob, entry in reversed(globs):
                yield from self._index.useless(entry, self._wider(glob) if below <= {entry.exception} else ())
                below.add(entry.exception)


def _globs_by_domain(entries: Iterable[Entry]) -> dict[str, list[tuple[Glob, Entry]]]:
    """The globs of each domain, the most specific first; on a tie exceptions before the others."""
    globs: dict[str, list[tuple[Glob, Entry]]] = {}
    for entry in entries:
        if isinstance(entry.pattern, Glob):
            globs.setdefault(entry.pattern.domain, []).append((entry.pattern, entry))
    for same_domain in globs.values():
        same_domain.sort(key=lambda pair: (-pair[0].literals, not pair[1].exception))
    return globs
