"""The interfaces of the journal, as Protocols: for what writes it, and for what reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from turfmilter.core.journal.transaction import Transaction


class Journal(Protocol):
    """Keeps the facts of each transaction, so that it can be judged again."""

    def session(self) -> str:
        """Return a name for one more connection, "" if nothing is kept; then `write` must not be called."""

    def write(self, transaction: Transaction) -> None:
        """Queue one transaction.  Never blocks and never raises."""


Wanted = Callable[[bytes], bool]  # tells from a line of the journal, as it is written, whether to read it


class Transactions(Protocol):
    """What the journal has kept, by all processes of this host.

    Every method raises OSError if the journal cannot be read.  `skipped` counts the lines that were left out, by why.
    """

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many lines could not be read so far, by why: "damaged", "truncated", "version 2"."""

    def begins(self) -> datetime | None:
        """Return the time of the oldest transaction, UTC; None if there is none."""

    def newest(self, since: datetime | None, wanted: Wanted) -> Iterator[Transaction]:
        """Yield the wanted transactions that ended after `since`, the newest first."""

    def oldest(self, since: datetime | None, wanted: Wanted) -> Iterator[Transaction]:
        """Yield the wanted transactions that ended after `since`, the oldest first."""

    def shares(self, since: datetime | None, most: int) -> Sequence[Callable[[], Iterator[Transaction]]]:
        """Return up to `most` functions that together yield every transaction after `since`, each in its order.

        The transactions of one connection are all in one share.
        """
