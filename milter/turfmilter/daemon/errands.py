"""Work that may wait for a disk: short-lived child processes do it, so that the supervisor never waits."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from math import inf
from typing import Any, NoReturn

from turfmilter.config.schema import Config
from turfmilter.daemon.reload import Loaded, Report, Say

Fork = Callable[[Callable[[], NoReturn]], int]  # runs its argument in a child and returns the child's process id

_UPKEEP_INTERVAL = 60.0  # seconds
_COPY_RETRY = 60.0  # seconds from a failed attempt to the next one
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Errand:
    """One kind of work, done by at most one child process at a time.

    `what` says what has failed if the process fails, such as "the index was not written".  `found` are the warnings
    of the last run; each is logged unless the run before it gave the same.  `more` is what the last run reported that
    did not fail.

    The supervisor must poll the descriptor `waiting` (-1: none) and call `read` when it is readable: the report can
    be larger than a pipe, and the child does not end until it is read.
    """

    def __init__(self, what: str, say: Say) -> None:
        self.found: tuple[str, ...] = ()
        self.more: Mapping[str, Any] = {}
        self._what = what
        self._tell = say
        self._pid = 0
        self._said = b""
        self.waiting = -1

    @property
    def under_way(self) -> bool:
        """True from `begin` until `reap` has collected the child."""
        return self._pid != 0

    def begin(self, work: Callable[[], Report], fork: Fork) -> None:
        """Run `work` in a child made by `fork`.  Never raises OSError."""
        try:
            self.waiting, telling = os.pipe()
        except OSError as error:
            self._find([self._none_to_be_had(error)])
            return
        os.set_blocking(self.waiting, False)
        try:
            self._pid = fork(lambda: _work(work, telling, self.waiting))
        except OSError as error:
            self._close()
            self._find([self._none_to_be_had(error)])
        finally:
            os.close(telling)

    def read(self) -> None:
        """Read what the child has reported so far, without blocking."""
        try:
            while data := os.read(self.waiting, 1 << 16):
                self._said += data
        except BlockingIOError:
            return
        self._close()

    def reap(self) -> bool:
        """Collect the child if it has ended, and return True; its warnings, or why it failed, are then in `found`."""
        pid, status = os.waitpid(self._pid, os.WNOHANG) if self._pid else (0, 0)
        if not pid:
            return False
        self._pid = 0
        if self.waiting >= 0:
            self.read()
        if self.waiting >= 0:  # another process still holds the writing end
            self._close()
        said, self._said = self._said, b""
        self._find(self._understood(os.waitstatus_to_exitcode(status), said))
        return True

    def _understood(self, code: int, said: bytes) -> list[str]:
        if code:
            return [f"{self._what}: its process died ({f'signal {-code}' if code < 0 else f'exit {code}'})"]
        found = json.loads(said)
        if "failed" in found:
            return [f"{self._what}: {found['failed']}"]
        self.more = found["more"]
        return list(found["found"])

    def _find(self, sentences: Iterable[str]) -> None:
        before, self.found = self.found, tuple(sentences)
        for sentence in self.found:
            if sentence not in before:
                self._tell("warning", sentence)

    def _close(self) -> None:
        os.close(self.waiting)
        self.waiting = -1

    def _none_to_be_had(self, error: OSError) -> str:
        return f"{self._what}: cannot start a process: {error.strerror}"


LookAfter = Callable[[Config, Mapping[str, Any]], Report]


class Upkeep:
    """Decides when the upkeep is due, and runs `look_after` in a child process.

    `look_after` receives what its last run has reported beside warnings; `say` receives the warnings that the last run
    did not give.  `started` is the time of day; all other times are time.monotonic() values.
    """

    def __init__(self, look_after: LookAfter, say: Say, started: datetime) -> None:
        self.errand = Errand("the upkeep failed", say)
        self.errand.more = {"started": started.isoformat()}
        self._look_after = look_after
        self._next = time.monotonic() + _UPKEEP_INTERVAL
        self._config = Config()

    def due(self, config: Config) -> float:
        """When to begin: once a minute, at once with a new configuration; infinite while a run is in progress."""
        if self.errand.under_way or not (config.directories or config.journal.directory):
            return inf
        return self._next if config is self._config else 0.0

    def expect(self, config: Config) -> None:
        """Begin with `config` only after a minute, although it is new: a start has just checked the quarantines."""
        self._config = config

    def begin(self, config: Config, fork: Fork, now: float) -> None:
        """Maintain the quarantines and the journal of `config` in a child made by `fork`."""
        self._config, self._next = config, now + _UPKEEP_INTERVAL
        self.errand.begin(lambda: self._look_after(config, self.errand.more), fork)


class Copier:
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
        self._trying, self._next = loaded, now + _COPY_RETRY
        self.errand.begin(lambda: Report(self._keep(loaded.config)), fork)

    def reap(self) -> None:
        """Collect the child if it has ended; the copy is complete if it gave no warnings."""
        if self.errand.reap() and not self.errand.found:
            self._done = self._trying


def _work(work: Callable[[], Report], telling: int, waiting: int) -> NoReturn:
    """Do `work` and write its report, in the child."""
    # Closing the reading end lets a write fail if the supervisor dies; with it open, the write would block forever.
    os.close(waiting)
    # Ignored, because the child ends by itself soon.  The mask is inherited from the supervisor, which blocks its
    # signals while it forks.
    for number in _HANDLED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    said: dict[str, object]
    try:
        report = work()
        said = {"found": list(report.warnings), "more": dict(report.more)}
    except Exception as error:  # noqa: BLE001 - whatever it is, the administrator must be told
        said = {"failed": f"{type(error).__name__}: {error}"}
    with os.fdopen(telling, "wb") as pipe:
        pipe.write(json.dumps(said).encode())
    os._exit(0)
