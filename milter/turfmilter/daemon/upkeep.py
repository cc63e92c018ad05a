"""Looking after the quarantines: once a minute, in a short-lived process of its own, for whose disk nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from turfmilter.config.schema import Config
from turfmilter.daemon.errand import Errand, Fork
from turfmilter.daemon.reload import Say

_INTERVAL = 60.0


class Upkeep:
    """As the supervisor sees it.  `look_after` does it, and gives sentences for the administrator.

    `say` takes those that were not found the last time as well.  Times are those of time.monotonic.
    """

    def __init__(self, look_after: Callable[[Config], list[str]], say: Say) -> None:
        self.errand = Errand("the quarantines were not looked after", say)
        self._look_after = look_after
        self._next = time.monotonic() + _INTERVAL
        self._config = Config()

    def due(self, config: Config) -> float:
        """When it is to begin: once a minute, and at once with another configuration; never while it is at work."""
        if self.errand.under_way or not config.directories:
            return inf
        return self._next if config is self._config else 0.0

    def expect(self, config: Config) -> None:
        """With this configuration the first time is a minute away."""
        self._config = config

    def begin(self, config: Config, fork: Fork, now: float) -> None:
        """Have a child of ours, which `fork` makes, do it."""
        self._config, self._next = config, now + _INTERVAL
        self.errand.begin(lambda: self._look_after(config), fork)
