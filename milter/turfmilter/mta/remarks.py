"""What there is to say about the MTA itself, said once and not at every connection."""

from __future__ import annotations

import threading
from collections.abc import Collection

from turfmilter.core.ports import Log


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
