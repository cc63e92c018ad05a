"""Loads a new generation, completely and checked, or else the list of its problems; watches files for changes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

from turfmilter.config.changes import difference, losses, shrunken, sizes
from turfmilter.config.loader import ConfigError
from turfmilter.config.schema import Config
from turfmilter.core.held.room import UnusableQuarantine
from turfmilter.core.policy import Generation
from turfmilter.core.ports import Clock, Level
from turfmilter.mta.service import Service
from turfmilter.telemetry.writer import LogWriter

Say = Callable[[Level, str], None]  # logs a sentence for the administrator
FIXED = ("socket", "socket_mode", "socket_group", "user")  # keys that a running program cannot apply


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and the generation made from it, with `warnings` for the administrator.

    If it was loaded from the copy of the last good generation, `copy_since` is the time (ISO 8601) since which that
    was in force, and `broken` lists the problems of the files that could not be used.
    """

    config: Config
    generation: Generation
    warnings: tuple[str, ...] = ()
    copy_since: str = ""
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a short-lived process reports: warnings for the administrator, and `more`, as JSON can have it."""

    warnings: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


Explain = Callable[[Loaded, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Program:
    """The functions from which the daemon's processes are built.

    `load` loads the generation with the given number, and raises ConfigError or UnusableQuarantine.  `service` and
    `log` are called in each process after the fork, because threads do not survive a fork.  `look_after` maintains the
    quarantines; it receives the `more` of its last Report.  `keep` saves a copy of the configuration, and returns
    warnings for the administrator.
    `clock` is the only clock of the program.  `explain` answers a request about the rules of a generation.
    """

    load: Callable[[int], Loaded]
    service: Callable[[Loaded, LogWriter], Service]
    log: Callable[[Config], LogWriter]
    look_after: Callable[[Config, Mapping[str, Any]], Report]
    keep: Callable[[Config], list[str]]
    clock: Clock
    explain: Explain = lambda _loaded, _request: {"error": "this program explains nothing"}


class Loading:
    """A load in progress, in a thread, so that the supervisor continues to handle signals and workers.

    `tell` is called in that thread when it is `done`.  Then there is either `loaded`, with its `difference` to the
    configuration `old` and warnings about tables that have `shrunken`; or `problems`, with the `files` of which a
    change may fix them.  `begun` is in seconds since the epoch.  If tables have lost most of their entries, that is a
    problem, unless the new configuration or an administrator (`may_shrink`) consents.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        old: Config,
        begun: datetime,
        tell: Callable[[], None],
        *,
        may_shrink: bool = False,
    ) -> None:
        self.loaded: Loaded | None = None
        self.difference = ""
        self.shrunken: tuple[str, ...] = ()
        self.problems: tuple[str, ...] = ()
        self.files: tuple[Path, ...] = ()
        self.done = False
        self.begun = begun.timestamp()
        self._today = begun.date()
        self._may_shrink = may_shrink
        self._load = load
        self._old = old
        self._tell = tell
        self._thread = Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended, which is required before the next fork."""
        self._thread.join()

    def _run(self) -> None:
        # Everything that is loaded stays, so collections would scan millions of entries for nothing.
        gc.disable()
        try:
            loaded = self._load()
            if lost := self._lost(loaded.config):
                raise ConfigError(lost, loaded.config.files)
            self.difference = difference(self._old, loaded.config)
            self.shrunken = shrunken(self._old, loaded.config)
            self.loaded = loaded
        except ConfigError as error:
            self.problems, self.files = error.problems, error.files
        except UnusableQuarantine as error:
            self.problems = tuple(str(error).splitlines())
        except Exception as error:  # noqa: BLE001 - whatever it is, the old generation stays
            self.problems = (f"{type(error).__name__}: {error}",)
        finally:
            gc.enable()
            self.done = True
            self._tell()

    def _lost(self, new: Config) -> tuple[str, ...]:
        if self._may_shrink or new.turf.may_shrink:
            return ()
        return losses(sizes(self._old, self._today), new)


def cannot_change(old: Config, new: Config) -> list[str]:
    """Warnings about changed keys that take effect only after a restart."""
    return [f"{key}: takes effect only after a restart" for key in FIXED if getattr(old, key) != getattr(new, key)]


FileStates = dict[Path, tuple[int, int, int] | None]


def file_states(files: Iterable[Path]) -> FileStates:
    """What shows that a file has changed: its mtime (ns), size in bytes, and inode; None for a missing file."""
    return {path: _state(path) for path in files}


class WatchedFiles:
    """Watches the files of a generation for changes since they were read.

    Reading began at `begun`, in seconds since the epoch; `before` is the state of some of the files before that.
    """

    def __init__(self, files: Iterable[Path], before: FileStates, begun: float) -> None:
        self._used = {path: before[path] if path in before else _older(_state(path), begun) for path in files}
        self._seen: FileStates = {}

    @property
    def files(self) -> Iterable[Path]:
        """The paths that are watched."""
        return self._used.keys()

    def changed(self) -> bool:
        """True once for each change, as soon as two calls in a row have seen the same state.

        A file is often written in several steps, and half a table must not be loaded as if it were complete.
        """
        before, self._seen = self._seen, file_states(self._used)
        if self._seen == self._used or self._seen != before:
            return False
        self._used = self._seen
        return True


def _older(found: tuple[int, int, int] | None, begun: float) -> tuple[int, int, int] | None:
    """The state `found`; None, which counts as a change, if the file may have changed after it was read."""
    return found if found and found[0] < begun * 1e9 else None  # mtime is in nanoseconds


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
