"""Maintains the quarantines once a minute, in a short-lived child process, so that no one waits for its disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from turfmilter.config.schema import Config
from turfmilter.daemon.errand import Errand, Fork
from turfmilter.daemon.reload import Say

_INTERVAL = 60.0  # seconds


class Upkeep:
    """Decides when the upkeep is due, and runs `look_after` in a child process.

    `look_after` returns warnings for the administrator; `say` receives those that the last run did not give.  Times
    are time.monotonic() values.
    """

    def __init__(self, look_after: Callable[[Config], list[str]], say: Say) -> None:
        self.errand = Errand("the upkeep of the quarantines failed", say)
        self._look_after = look_after
        self._next = time.monotonic() + _INTERVAL
        self._config = Config()

    def due(self, config: Config) -> float:
        """When to begin: once a minute, at once with a new configuration; infinite while a run is in progress."""
        if self.errand.under_way or not config.directories:
            return inf
        return self._next if config is self._config else 0.0

    def expect(self, config: Config) -> None:
        """Begin with `config` only after a minute, although it is new: a start has just checked the quarantines."""
        self._config = config

    def begin(self, config: Config, fork: Fork, now: float) -> None:
        """Maintain the quarantines of `config` in a child made by `fork`."""
        self._config, self._next = config, now + _INTERVAL
        self.errand.begin(lambda: self._look_after(config), fork)
