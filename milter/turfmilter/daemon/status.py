"""What the daemon is doing, for people and for monitoring."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from turfmilter import __version__
from turfmilter.config.schema import Config
from turfmilter.core.escape import shortened
from turfmilter.core.ports import Clock
from turfmilter.daemon.descriptors import limit
from turfmilter.daemon.fleet import Fleet, Process
from turfmilter.daemon.reload import Loaded
from turfmilter.mta.engines import choose

_PROBLEMS = 10  # the last ones
_LONGEST = 2000  # characters of one of them
_MINUTE = 60.0
# Figures of a worker that are counted on when it has ended.
_SUMS = ("served", "log_lines_dropped", "names_known", "names_asked")


class _Problem(NamedTuple):
    time: str
    sentence: str
    of_files: bool


class Status:
    """Remembers what a running process does not: the totals of those that have ended, and the last problems."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = self._now()
        self._generation = ""
        self.failures = 0
        self._broken: tuple[str, ...] = ()
        self._alarms: tuple[str, ...] = ()
        self._problems: deque[_Problem] = deque(maxlen=_PROBLEMS)
        self._ended: Counter[str] = Counter()
        self._minute: deque[tuple[float, int]] = deque()
        self.quarantine_warnings: tuple[str, ...] = ()  # what was last found when the quarantines were looked after

    def renewed(self, loaded: Loaded, alarms: Iterable[str]) -> None:
        """There is a new generation, about which somebody should know `alarms`.

        What was wrong with the files is no more, unless it comes from a copy because of that.
        """
        self._generation = self._now()
        self._alarms = _in_short(alarms)
        self._broken = _in_short(loaded.broken)
        self._problems = deque((one for one in self._problems if not one.of_files), maxlen=_PROBLEMS)

    def failed(self, problems: Iterable[str]) -> None:
        """There is none, for these reasons."""
        self.failures += 1
        self._broken = _in_short(problems)

    def noted(self, problem: str, *, of_files: bool = False) -> None:
        """What went wrong; the same again is known by its time alone.

        With `of_files` it is what was wrong with files: it is shown until a new generation is made of them.
        """
        problem = shortened(problem, _LONGEST)
        if self._problems and self._problems[-1].sentence == problem:
            self._problems.pop()
        self._problems.append(_Problem(self._now(), problem, of_files))

    def ended(self, process: Process) -> None:
        """A worker is no more; what it did still counts."""
        self._ended.update(_sums(process))

    def now(self, loaded: Loaded, fleets: Iterable[Fleet], seconds: float) -> dict[str, object]:
        """All there is to say; `seconds` is the time on the clock of time.monotonic."""
        fleets = list(fleets)
        processes = [process for fleet in fleets for process in fleet.processes]
        sums = sum((Counter(_sums(process)) for process in processes), Counter(self._ended))
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": self._started,
            "written": self._now(),
            "mode": loaded.config.mode.value,
            "socket": str(loaded.config.socket),
            "protocol_engine": choose(loaded.config.protocol_engine).engine.value,
            "generation": loaded.generation.number,
            "generation_since": self._generation,
            "reloads_failed": self.failures,
            "copy_since": loaded.copy_since,
            "broken": list(self._broken),
            "alarms": list(self._alarms),
            "problems": [{"time": one.time, "problem": one.sentence} for one in self._problems],
            "sessions_open": sum(int(process.figures.get("open", 0)) for process in processes),
            "sessions_served": sums["served"],
            "sessions_last_minute": self._last_minute(seconds, sums["served"]),
            "names_known": sums["names_known"],
            "names_asked": sums["names_asked"],
            "log_lines_dropped": sums["log_lines_dropped"],
            "open_files_limit": limit(),
            "quarantines": list(_quarantines(loaded.config)),
            "quarantine_warnings": list(self.quarantine_warnings),
            "workers": [_worker(process, fleet, seconds) for fleet in fleets for process in fleet.processes],
        }

    def _last_minute(self, seconds: float, served: int) -> int:
        self._minute.append((seconds, served))
        while self._minute[0][0] < seconds - _MINUTE:
            self._minute.popleft()
        return served - self._minute[0][1]

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")


def _in_short(sentences: Iterable[str]) -> tuple[str, ...]:
    return tuple(shortened(one, _LONGEST) for one in islice(sentences, _PROBLEMS))


def _sums(process: Process) -> dict[str, int]:
    return {name: int(process.figures.get(name, 0)) for name in _SUMS}


def _worker(process: Process, fleet: Fleet, seconds: float) -> dict[str, object]:
    return {
        "pid": process.pid,
        "generation": fleet.loaded.generation.number,
        "state": _state(process),
        "age_seconds": round(seconds - process.begun),
        "answering": process.answered,
        **{name: figure for name, figure in process.figures.items() if name != "full"},
    }


def _state(process: Process) -> str:
    if process.draining:
        return "draining"
    if not process.ready:
        return "starting"
    return "full" if process.figures["full"] else "serving"


def _quarantines(config: Config) -> Iterator[dict[str, object]]:
    """The free space in every directory in which messages are held."""
    for directory in config.directories:
        try:
            disk = shutil.disk_usage(directory)
        except OSError as error:
            yield {"directory": str(directory), "problem": error.strerror}
        else:
            yield {"directory": str(directory), "free_bytes": disk.free, "total_bytes": disk.total}


def write_status(path: Path, status: Mapping[str, object]) -> None:
    """Put `status` in the place of what is at `path`.  Raises OSError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        new.unlink()  # of a process that was killed
    # O_EXCL follows no link, and rename replaces one: whatever others put there is never written through.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(status, file, indent=2)
            file.write("\n")
        new.rename(path)
    except OSError:  # the disk is full, or a directory has this name
        new.unlink()
        raise


def remove_status(path: Path) -> None:
    """Leave nothing behind: who does not run has no status."""
    with suppress(OSError):
        path.unlink()
