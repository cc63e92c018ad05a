"""Keeping a copy of the generation that serves, for a start with broken files."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from turfmilter.config.schema import Config
from turfmilter.daemon.errand import Errand, Fork
from turfmilter.daemon.reload import Loaded, Say

_AGAIN = 60.0  # seconds until the next try


class Keeper:
    """As the supervisor sees it.  `keep` writes the copy, and gives sentences for the administrator when it cannot.

    Times are those of time.monotonic.
    """

    def __init__(self, keep: Callable[[Config], list[str]], say: Say) -> None:
        self.errand = Errand("no copy of the configuration was kept", say)
        self._keep = keep
        self._trying: Loaded | None = None
        self._done: Loaded | None = None
        self._next = 0.0

    def due(self, loaded: Loaded) -> float:
        """When it is to begin: at once with another generation, and once a minute until the copy is there."""
        if self.errand.under_way or loaded is self._done or loaded.copy_since or not loaded.config.state:
            return inf
        return self._next if loaded is self._trying else 0.0

    def begin(self, loaded: Loaded, fork: Fork, now: float) -> None:
        """Have a child of ours, which `fork` makes, do it."""
        self._trying, self._next = loaded, now + _AGAIN
        self.errand.begin(lambda: self._keep(loaded.config), fork)

    def reap(self) -> None:
        """See whether it has ended, and whether the copy is there."""
        if self.errand.reap() and not self.errand.found:
            self._done = self._trying
