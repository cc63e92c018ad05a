"""A new generation as a transaction: all of it, checked, or the problems that it has."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from turfmilter.config.changes import difference, shrunken
from turfmilter.config.loader import ConfigError
from turfmilter.config.schema import Config
from turfmilter.core.policy import Generation
from turfmilter.core.ports import Clock, Level
from turfmilter.mta.service import Service
from turfmilter.stores.maildir import UnusableMaildir
from turfmilter.telemetry.writer import LogWriter

Say = Callable[[Level, str], None]  # where sentences for the administrator go
FIXED = ("socket", "socket_mode", "socket_group", "user")  # what a running program cannot change


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and what its connections are judged by.  `warnings` are for the administrator.

    One that comes from the copy of the last good generation has been in force since `copy_since`; `broken` are the
    problems of the files, for which it was not made of them.
    """

    config: Config
    generation: Generation
    warnings: tuple[str, ...] = ()
    copy_since: str = ""
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """What the processes are made of.

    `load` makes the generation with a number, and raises ConfigError or UnusableMaildir; `service` and `log` are made
    in each process, after the fork: threads do not survive one.  `look_after` keeps the quarantines in order,
    `keep` a copy of the configuration; both give sentences for the administrator.  `clock` is the only one.
    """

    load: Callable[[int], Loaded]
    service: Callable[[Loaded, LogWriter], Service]
    log: Callable[[Config], LogWriter]
    look_after: Callable[[Config], list[str]]
    keep: Callable[[Config], list[str]]
    clock: Clock


class Loading:
    """A load under way, in a thread: the supervisor goes on to obey signals and to look after its workers.

    `tell` is called in that thread when it is `done`.  Then there is either `loaded`, with its `difference` to the
    configuration `old` and sentences about tables that have `shrunken`, or `problems`, with the `files` whose mending
    may mend them.
    `begun` is in seconds since the epoch.
    """

    def __init__(self, load: Callable[[], Loaded], old: Config, begun: float, tell: Callable[[], None]) -> None:
        self.loaded: Loaded | None = None
        self.difference = ""
        self.shrunken: tuple[str, ...] = ()
        self.problems: tuple[str, ...] = ()
        self.files: tuple[Path, ...] = ()
        self.done = False
        self.begun = begun
        self._load = load
        self._old = old
        self._tell = tell
        self._thread = Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has gone, as it must before a fork."""
        self._thread.join()

    def _run(self) -> None:
        # What is loaded stays: looking through millions of entries for garbage would only take time.
        gc.disable()
        try:
            loaded = self._load()
            self.difference = difference(self._old, loaded.config)
            self.shrunken = shrunken(self._old, loaded.config)
            self.loaded = loaded
        except ConfigError as error:
            self.problems, self.files = error.problems, error.files
        except UnusableMaildir as error:
            self.problems = tuple(str(error).splitlines())
        except Exception as error:  # noqa: BLE001 - whatever it is, the old generation stays
            self.problems = (f"{type(error).__name__}: {error}",)
        finally:
            gc.enable()
            self.done = True
            self._tell()


def cannot_change(old: Config, new: Config) -> list[str]:
    """Sentences about what only a restart changes."""
    return [f"{key}: takes effect at the next start only" for key in FIXED if getattr(old, key) != getattr(new, key)]


State = dict[Path, tuple[int, int, int] | None]


def state(files: Iterable[Path]) -> State:
    """By which a changed file is known: time of change, size and inode; None for one that is not there."""
    return {path: _state(path) for path in files}


class Watch:
    """The files of a generation, as they were when they were read.

    `before` is the state of some of them from before `begun`, the time (seconds since the epoch) when that began.
    """

    def __init__(self, files: Iterable[Path], before: State, begun: float) -> None:
        self._used = {path: before[path] if path in before else _older(_state(path), begun) for path in files}
        self._seen: State = {}

    @property
    def files(self) -> Iterable[Path]:
        """Those that are watched."""
        return self._used.keys()

    def changed(self) -> bool:
        """True once for every change, as soon as two calls in a row have seen the same one.

        A file is often not written at once: half a table is not to be taken for the whole.
        """
        before, self._seen = self._seen, state(self._used)
        if self._seen == self._used or self._seen != before:
            return False
        self._used = self._seen
        return True


def _older(found: tuple[int, int, int] | None, begun: float) -> tuple[int, int, int] | None:
    """What was found, unless it may have changed since it was read: that is as good as a change."""
    return found if found and found[0] < begun * 1e9 else None


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
