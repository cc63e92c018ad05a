"""Saves a copy of the generation that serves, for a later start with a broken configuration or table."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from turfmilter.config.schema import Config
from turfmilter.daemon.errand import Errand, Fork
from turfmilter.daemon.reload import Loaded, Say

_AGAIN = 60.0  # seconds until the next attempt


class Keeper:
    """Decides when the copy is due, and has a child process write it.

    `keep` writes the copy and returns warnings for the administrator if it fails.  Times are time.monotonic() values.
    """

    def __init__(self, keep: Callable[[Config], list[str]], say: Say) -> None:
        self.errand = Errand("no copy of the configuration was saved", say)
        self._keep = keep
        self._trying: Loaded | None = None
        self._done: Loaded | None = None
        self._next = 0.0

    def due(self, loaded: Loaded) -> float:
        """When to begin: at once with a new generation, then once a minute until the copy is written; else infinite."""
        if self.errand.under_way or loaded is self._done or loaded.copy_since or not loaded.config.state:
            return inf
        return self._next if loaded is self._trying else 0.0

    def begin(self, loaded: Loaded, fork: Fork, now: float) -> None:
        """Write the copy in a child made by `fork`."""
        self._trying, self._next = loaded, now + _AGAIN
        self.errand.begin(lambda: self._keep(loaded.config), fork)

    def reap(self) -> None:
        """Collect the child if it has ended; the copy is complete if it gave no warnings."""
        if self.errand.reap() and not self.errand.found:
            self._done = self._trying
