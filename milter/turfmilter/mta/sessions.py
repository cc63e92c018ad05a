"""How many connections of the MTA are open, and how many there have been."""

from __future__ import annotations

import threading


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
