"""How many connections of the MTA are open: a process that is to stop waits for none."""

from __future__ import annotations

import threading


class Sessions:
    """A count that can be waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = 0

    def opened(self) -> None:
        """One more connection."""
        with self._changed:
            self._open += 1

    def closed(self) -> None:
        """One less."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> bool:
        """True when no connection is open any more, False when `seconds` have passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, seconds)
