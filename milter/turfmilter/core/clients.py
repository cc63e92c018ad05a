"""A list of clients by address and by DNS name, and a list of domains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.rule import Looked
from turfmilter.core.session import Connection
from turfmilter.core.table.entries import Source
from turfmilter.core.table.entry import Entry, Problem, listed
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.pattern import Name


class Match(NamedTuple):
    """The entry that decides about a client, or None.

    `unsure` is True if this is unknown, because DNS did not answer every query and a missing answer could change
    the result.
    """

    entry: Entry | None = None
    unsure: bool = False


class ClientTable:
    """Entries about clients.  The most specific one decides; if two are equally specific, the one that refuses.

    `exception_refuses` tells which entries refuse: False for a deny list, whose plain entries do, True for an allow
    list, whose exceptions do.  `names` is True if any entry is a name, so that DNS has to be queried.
    Only a name that is confirmed in both directions makes a client trusted.  An unconfirmed PTR name is enough to
    refuse a client, because its owner could just as well have forged a name that passes.
    """

    def __init__(self, sources: Iterable[Source], *, exception_refuses: bool) -> None:
        self._exception_refuses = exception_refuses
        self._all = HostTable(sources, exception_wins=exception_refuses)
        self.names = self._all.names

    @property
    def problems(self) -> Sequence[Problem]:
        """Errors and warnings about lines; a table with an error must not be used."""
        return self._all.problems

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Warnings about entries that are duplicates or make no difference."""
        return self._all.warnings

    @property
    def vast(self) -> Sequence[Entry]:
        """Entries that match a large part of the Internet."""
        return self._all.vast

    def changes(self, old: ClientTable) -> tuple[int, int]:
        """Return how many entries were added since `old`, and how many were removed."""
        return self._all.changes(old._all)

    def made_of(self, sources: Sequence[Source]) -> bool:
        """Return True if the table was built from exactly these sources, in this order."""
        return self._all.made_of(sources)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of entries in each file, by its name."""
        return self._all.sizes

    def expired(self, today: date) -> int:
        """Return how many entries expired before `today`."""
        return self._all.expired(today)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over every entry, in the order of the lines."""
        return iter(self._all)

    def looks_at(self, name: str, connection: Connection) -> Iterator[Looked]:
        """Yield what the list called `name` has for the client's address, and for its names if they are known."""
        if connection.client:
            yield Looked(f"client in {name}", str(connection.client), self._all.matching_address(connection.client))
        names = connection.names.known if self.names else None
        for one in dict.fromkeys((*names.confirmed, *names.claimed)) if names else ():
            confirmed = "" if names and one in names.confirmed else " (not confirmed)"
            yield Looked(f"client's name in {name}", f"{one}{confirmed}", self._all.matching_name(one))

    def by_address(self, connection: Connection, today: date) -> Entry | None:
        """Return the entry that decides by the client's address; it takes precedence over any name."""
        return self._all.match_address(connection.client, today) if connection.client else None

    def asks_names(self, connection: Connection, today: date) -> bool:
        """Return True if only a name can decide about the client."""
        return self.names and self.by_address(connection, today) is None

    def find(self, connection: Connection, today: date) -> Match:
        """Return the entry that decides about the client; waits for DNS only if a name can change the result."""
        entry = self.by_address(connection, today)
        if entry or not self.names:
            return Match(entry)
        names = connection.names.result()
        decides = self._most_specific(names.confirmed, names.claimed, today)
        # A query that failed may succeed later, and then confirm names that are only claimed now.
        later = self._most_specific(names.claimed, (), today)
        unsure = names.failed and (not names.claimed or not _agree(decides, later))
        return Match(None if unsure else decides, unsure)

    def _most_specific(self, confirmed: Iterable[str], claimed: Iterable[str], today: date) -> Entry | None:
        found = [self._all.match_name(name, today) for name in confirmed]
        # Unconfirmed names are compared only with entries that refuse: a forged name must not make a client trusted.
        refuses = self._exception_refuses
        found += [self._all.match_name(name, today, exception=refuses) for name in claimed]
        return max(filter(None, found), key=self._specificity, default=None)

    def _specificity(self, entry: Entry) -> tuple[int, bool, bool]:
        assert isinstance(entry.pattern, Name)
        refuses = entry.exception is self._exception_refuses
        # More labels, then =name in front of name, then the entry that refuses: as in HostTable.
        return entry.pattern.domain.count("."), entry.pattern.exact, refuses


def _agree(one: Entry | None, other: Entry | None) -> bool:
    return one == other or (one is not None and other is not None and one.exception is other.exception)


@dataclass(frozen=True, slots=True)
class Domains:
    """A list of domains; an address in it matches the address literal (RFC 5321 §4.1.3)."""

    table: HostTable

    def matching(self, mailbox: Mailbox) -> list[Entry]:
        """Return every entry that matches the domain of `mailbox`, or the address in its literal."""
        literal = mailbox.literal
        return self.table.matching_address(literal) if literal else self.table.matching_name(mailbox.domain)

    def hold(self, mailbox: Mailbox, today: date) -> bool:
        """Return True if the domain of `mailbox`, or the address in its literal, is listed."""
        literal = mailbox.literal
        entry = self.table.match_address(literal, today) if literal else self.table.match_name(mailbox.domain, today)
        return listed(entry)
