"""A list of clients: their addresses, and the names that DNS says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.session import Connection
from turfmilter.core.table.entries import Source
from turfmilter.core.table.entry import Entry, Problem, listed
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.pattern import Name


class Match(NamedTuple):
    """The entry that decides about a client, if any does.

    `unsure` says that this cannot be told: DNS did not answer all, and what is missing could change the result.
    """

    entry: Entry | None = None
    unsure: bool = False


class ClientTable:
    """Entries about clients.  The most specific one decides, on a tie the one that refuses.

    `exception_refuses` says which entries refuse: the plain ones of a deny list, the exceptions of an allow list.
    `names` says that a name could change the result: only then DNS need be asked.
    Trust needs a name that is confirmed in both directions; a refusal also follows from a PTR name that is not,
    because its owner could as well have lied to pass.
    """

    def __init__(self, sources: Iterable[Source], *, exception_refuses: bool) -> None:
        self._exception_refuses = exception_refuses
        self._all = HostTable(sources, exception_wins=exception_refuses)
        self.names = self._all.names

    @property
    def problems(self) -> Sequence[Problem]:
        """Errors and doubts in the lines; with an error the table must not be used."""
        return self._all.problems

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Entries that are duplicates or make no difference."""
        return self._all.warnings

    @property
    def vast(self) -> Sequence[Entry]:
        """Entries that hold much of the Internet."""
        return self._all.vast

    def changes(self, old: ClientTable) -> tuple[int, int]:
        """How many entries this table has that `old` had not, and how many it has no more."""
        return self._all.changes(old._all)

    def made_of(self, sources: Sequence[Source]) -> bool:
        """True when the table was made of just these sources, in this order."""
        return self._all.made_of(sources)

    @property
    def sizes(self) -> dict[str, int]:
        """How many entries there are in each file, by its name."""
        return self._all.sizes

    def __len__(self) -> int:
        return len(self._all)

    def by_address(self, connection: Connection, today: date) -> Entry | None:
        """The entry that decides by the client's address, before any name."""
        return self._all.match_address(connection.client, today) if connection.client else None

    def asks_names(self, connection: Connection, today: date) -> bool:
        """True when only a name could decide about the client."""
        return self.names and self.by_address(connection, today) is None

    def find(self, connection: Connection, today: date) -> Match:
        """The entry that decides about the client; waits for DNS only where a name could change the result."""
        entry = self.by_address(connection, today)
        if entry or not self.names:
            return Match(entry)
        names = connection.names.result()
        decides = self._most_specific(names.confirmed, names.claimed, today)
        # What failed may succeed later: then names that are only claimed now would be confirmed.
        later = self._most_specific(names.claimed, (), today)
        unsure = names.failed and (not names.claimed or not _agree(decides, later))
        return Match(None if unsure else decides, unsure)

    def _most_specific(self, confirmed: Iterable[str], claimed: Iterable[str], today: date) -> Entry | None:
        found = [self._all.match_name(name, today) for name in confirmed]
        refuses = self._exception_refuses
        found += [self._all.match_name(name, today, exception=refuses) for name in claimed]
        return max(filter(None, found), key=self._specificity, default=None)

    def _specificity(self, entry: Entry) -> tuple[int, bool, bool]:
        assert isinstance(entry.pattern, Name)
        refuses = entry.exception is self._exception_refuses
        return entry.pattern.domain.count("."), entry.pattern.exact, refuses


def _agree(one: Entry | None, other: Entry | None) -> bool:
    return one == other or (one is not None and other is not None and one.exception is other.exception)


@dataclass(frozen=True, slots=True)
class Domains:
    """Domains, and the addresses whose literals count as one."""

    table: HostTable

    def hold(self, mailbox: Mailbox, today: date) -> bool:
        """True when the domain of `mailbox` is listed; an address literal is when its address is."""
        literal = mailbox.literal
        entry = self.table.match_address(literal, today) if literal else self.table.match_name(mailbox.domain, today)
        return listed(entry)
