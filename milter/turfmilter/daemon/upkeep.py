"""Looking after the quarantines: once a minute, in a short-lived process of its own, for whose disk nobody waits."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from math import inf
from typing import NoReturn

from turfmilter.config.schema import Config
from turfmilter.daemon.reload import Say

_INTERVAL = 60.0
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Upkeep:
    """As the supervisor sees it.  `look_after` does it, and gives sentences for the administrator.

    `say` takes those that were not found the last time as well.  Times are those of time.monotonic.
    """

    def __init__(self, look_after: Callable[[Config], list[str]], say: Say) -> None:
        self._look_after = look_after
        self._say = say
        self._pid = 0
        self._telling = -1
        self._next = time.monotonic() + _INTERVAL
        self._config = Config()
        self.found: tuple[str, ...] = ()  # the last time

    def due(self, config: Config) -> float:
        """When it is to begin: once a minute, and at once with another configuration; never while it is at work."""
        if self._pid or not config.directories:
            return inf
        return self._next if config is self._config else 0.0

    def expect(self, config: Config) -> None:
        """With this configuration the first time is a minute away."""
        self._config = config

    def begin(self, config: Config, fork: Callable[[Callable[[], NoReturn]], int], now: float) -> None:
        """Have a child of ours, which `fork` makes, do it."""
        self._config, self._next = config, now + _INTERVAL
        try:
            self._telling, told = os.pipe()
        except OSError as error:
            self._tell([_none_to_be_had(error)])
            return
        try:
            self._pid = fork(lambda: self._work(config, told))
        except OSError as error:
            os.close(self._telling)
            self._tell([_none_to_be_had(error)])
        finally:
            os.close(told)

    def reap(self) -> None:
        """See whether it has ended, and say what it found."""
        pid, status = os.waitpid(self._pid, os.WNOHANG) if self._pid else (0, 0)
        if not pid:
            return
        self._pid = 0
        with os.fdopen(self._telling) as told:
            found = told.read()
        if status:
            self._tell(["the quarantines were not looked after: the process for it died"])
        else:
            self._tell(json.loads(found))

    def _tell(self, sentences: Iterable[str]) -> None:
        sentences = tuple(sentences)
        for sentence in sentences:
            if sentence not in self.found:
                self._say("warning", sentence)
        self.found = sentences

    def _work(self, config: Config, told: int) -> NoReturn:
        """In the child, which ends by itself soon."""
        for number in _HANDLED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.write(told, json.dumps(self._look_after(config)).encode())
        os._exit(0)


def _none_to_be_had(error: OSError) -> str:
    return f"the quarantines are not looked after: no process can be had: {error.strerror}"
