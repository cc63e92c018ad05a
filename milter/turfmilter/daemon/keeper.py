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
        self.errand = Errand("no copy of the configuration was kept")
        self._keep = keep
        self._say = say
        self._trying: Loaded | None = None
        self._done: Loaded | None = None
        self._next = 0.0
        self._said: list[str] = []

    def due(self, loaded: Loaded) -> float:
        """When it is to begin: at once with another generation, and once a minute until the copy is there."""
        if self.errand.under_way or loaded is self._done or loaded.copy_since or not loaded.config.state:
            return inf
        return self._next if loaded is self._trying else 0.0

    def begin(self, loaded: Loaded, fork: Fork, now: float) -> None:
        """Have a child of ours, which `fork` makes, do it."""
        self._trying, self._next = loaded, now + _AGAIN
        problem = self.errand.begin(lambda: self._keep(loaded.config), fork)
        if problem:
            self._tell([problem])

    def reap(self) -> None:
        """See whether it has ended, and say what went wrong unless that was said the last time."""
        found = self.errand.reap()
        if found is None:
            return
        if not found:
            self._done = self._trying
        self._tell(found)

    def _tell(self, sentences: list[str]) -> None:
        for sentence in sentences:
            if sentence not in self._said:
                self._say("warning", sentence)
        self._said = sentences
