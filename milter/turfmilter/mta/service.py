"""What the connections of one process share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from turfmilter.core.policy import Generation
from turfmilter.core.ports import Clock, Log, Names
from turfmilter.core.session import Connection


class Sessions:
    """Two counts.  `open` is now, `served` since the beginning, those that are open included."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self.open = 0
        self.served = 0

    def opened(self) -> None:
        """One more connection."""
        with self._changing:
            self.open += 1
            self.served += 1

    def closed(self) -> None:
        """One less."""
        with self._changing:
            self.open -= 1


class Remarks:
    """Sentences for the administrator, each logged by a process only once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._made: set[str] = set()

    def make(self, sentences: Collection[str]) -> None:
        """Log those that have not been logged yet."""
        if not sentences:
            return
        with self._lock:
            for sentence in sentences:
                if sentence not in self._made:
                    self._made.add(sentence)
                    self._log.say("warning", sentence)


@dataclass(frozen=True, slots=True)
class Service:
    """What every connection works with.

    `generation` gives the one in force when a connection begins; `watch` is shown every client; `figures` counts
    what this floor knows nothing of.
    """

    generation: Callable[[], Generation]
    names: Names
    log: Log
    clock: Clock
    executor: Executor
    sessions: Sessions
    watch: Callable[[Connection], None]
    remarks: Remarks
    figures: Callable[[], Mapping[str, int]] = dict
