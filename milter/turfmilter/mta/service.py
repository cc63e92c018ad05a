"""What all connections of one process share: counts, warnings already given, and the services that they use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from turfmilter.core.journal.ports import Journal
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.policy import Generation
from turfmilter.core.ports import Clock, Counts, Log, Names
from turfmilter.core.session import Connection


class Sessions:
    """Counts connections: `open` now, and `served` since the process started, including the open ones."""

    def __init__(self) -> None:
        self._changing = threading.Lock()  # libmilter has a thread for each connection, and += is not atomic
        self.open = 0
        self.served = 0

    def opened(self) -> None:
        """Count a connection that begins."""
        with self._changing:
            self.open += 1
            self.served += 1

    def closed(self) -> None:
        """Count a connection that ends."""
        with self._changing:
            self.open -= 1


class Remarks:
    """Warnings for the administrator, each of which a process logs only once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()  # two connections that begin together must not log the same warning
        self._made: set[str] = set()

    def make(self, sentences: Collection[str]) -> None:
        """Log those of `sentences` that have not been logged yet."""
        if not sentences:
            return
        with self._lock:
            for sentence in sentences:
                if sentence not in self._made:
                    self._made.add(sentence)
                    self._log.say("warning", sentence)


class NoJournal:
    """Implements ports.Journal where none is kept."""

    def session(self) -> str:
        """Return "": nothing is kept."""
        return ""

    def write(self, transaction: Transaction) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Service:
    """What every connection uses.

    `generation` returns the generation in force when a connection begins, which the connection then keeps.  `watch`
    is called with every client.  `figures` returns what else a worker reports, such as the numbers of DNS lookups.
    `finish` is called when the last connection has ended.
    """

    generation: Callable[[], Generation]
    names: Names
    log: Log
    counts: Counts
    clock: Clock
    executor: Executor
    sessions: Sessions
    watch: Callable[[Connection], None]
    remarks: Remarks
    figures: Callable[[], Mapping[str, object]] = dict
    finish: Callable[[], object] = lambda: None
    journal: Journal = field(default_factory=NoJournal)
