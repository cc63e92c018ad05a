"""The daemon's status, collected from its workers: what the status file and the metrics file show."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from turfmilter import __version__
from turfmilter.config.schema import Config
from turfmilter.core.escape import shortened
from turfmilter.core.ports import Clock
from turfmilter.daemon.descriptors import limit
from turfmilter.daemon.errands import Errand
from turfmilter.daemon.fleet import Fleet, Process
from turfmilter.daemon.measures import Measures
from turfmilter.daemon.reload import Loaded
from turfmilter.mta.engines import choose
from turfmilter.stores.room import spaces
from turfmilter.telemetry import metrics as m
from turfmilter.telemetry.metric import Numbers, sampled

_MAX_PROBLEMS = 10  # the most recent problems are kept
_MAX_PROBLEM_CHARACTERS = 2000  # characters of one sentence
_MINUTE = 60.0  # seconds
# Figures of a worker that remain in the totals after it has ended.
_IN_TOTAL_ONLY = ("full", "counts", "clients_behind_nat", "names_answered", "names_failed", "names_timeout")
_SUMS = ("served", "log_lines_dropped", "names_known", "names_asked")


class _Problem(NamedTuple):
    time: str
    sentence: str
    of_files: bool


class Status:
    """Keeps what no running worker reports: the totals of ended workers, and the latest problems."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = self._now()
        self._generation = ""
        self.failures = 0
        self._broken: tuple[str, ...] = ()
        self._alarms: tuple[str, ...] = ()
        self._problems: deque[_Problem] = deque(maxlen=_MAX_PROBLEMS)
        self._ended: Counter[str] = Counter()
        self.measures = Measures()
        self._minute: deque[tuple[float, int]] = deque()
        self._quarantine_warnings: tuple[str, ...] = ()

    def renewed(self, loaded: Loaded, alarms: Iterable[str]) -> None:
        """Record a new generation, with `alarms` about it for the administrator.

        Earlier problems of files are dropped; if it was loaded from the copy, those of the files remain.
        """
        self._generation = self._now()
        self._alarms = _in_short(alarms)
        self._broken = _in_short(loaded.broken)
        self._problems = deque((one for one in self._problems if not one.of_files), maxlen=_MAX_PROBLEMS)

    def failed(self, problems: Iterable[str]) -> None:
        """Record that no generation could be loaded, for the reasons `problems`."""
        self.failures += 1
        self._broken = _in_short(problems)

    def looked_after(self, errand: Errand) -> None:
        """Record what the last upkeep of the quarantines has found."""
        self._quarantine_warnings = errand.found
        self.measures.upkeep = {tuple(key): number for *key, number in errand.more.get("numbers", ())}

    def noted(self, problem: str, *, of_files: bool = False) -> None:
        """Record a problem; if it repeats the last one, only the time is updated.

        A problem `of_files` is shown until a new generation has been loaded from the files.
        """
        problem = shortened(problem, _MAX_PROBLEM_CHARACTERS)
        if self._problems and self._problems[-1].sentence == problem:
            self._problems.pop()
        self._problems.append(_Problem(self._now(), problem, of_files))

    def ended(self, process: Process) -> None:
        """Add the counts of a worker that has ended to the totals."""
        self._ended.update(_sums(process))
        self.measures.ended(process)

    def now(self, loaded: Loaded, fleets: Sequence[Fleet], seconds: float) -> dict[str, Any]:
        """The whole status as a JSON object; `seconds` is time.monotonic()."""
        said = self._said(loaded, fleets, seconds)
        processes = [process for fleet in fleets for process in fleet.processes]
        numbers = {**self.measures.now(loaded, processes, self._clock.now()), **_numbers(said)}
        return {**said, "metrics": sampled(m.METRICS, numbers)}

    def _said(self, loaded: Loaded, fleets: Sequence[Fleet], seconds: float) -> dict[str, Any]:
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
            "quarantine_warnings": list(self._quarantine_warnings),
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
    return tuple(shortened(one, _MAX_PROBLEM_CHARACTERS) for one in islice(sentences, _MAX_PROBLEMS))


def _sums(process: Process) -> dict[str, int]:
    return {name: int(process.figures.get(name, 0)) for name in _SUMS}


def _worker(process: Process, fleet: Fleet, seconds: float) -> dict[str, object]:
    return {
        "pid": process.pid,
        "generation": fleet.loaded.generation.number,
        "state": process.state,
        "age_seconds": round(seconds - process.begun),
        "answering": process.answered,
        **{name: figure for name, figure in process.figures.items() if name not in _IN_TOTAL_ONLY},
    }


def _quarantines(config: Config) -> Iterator[dict[str, object]]:
    """The free space and inodes of each quarantine directory, or why they cannot be determined."""
    for directory in config.directories:
        try:
            space, inodes = spaces(os.statvfs(directory))
        except OSError as error:
            yield {"directory": str(directory), "problem": error.strerror}
            continue
        yield {
            "directory": str(directory),
            "free_bytes": space.free * space.unit,
            "total_bytes": space.total * space.unit,
            # btrfs has no fixed number of inodes, and reports 0 of 0.
            **({"free_inodes": inodes.free, "total_inodes": inodes.total} if inodes.total else {}),
        }


def _numbers(said: Mapping[str, Any]) -> Numbers:
    """The numbers of metrics that other keys of the status have as well."""
    least = {
        m.FREE_BYTES: [one["free_bytes"] for one in said["quarantines"] if "free_bytes" in one],
        m.FREE_INODES: [one["free_inodes"] for one in said["quarantines"] if "free_inodes" in one],
    }
    return {
        (m.GENERATION.name,): said["generation"],
        (m.LAST_GOOD.name,): bool(said["copy_since"]),
        (m.RELOAD_FAILED.name,): bool(said["broken"]),
        (m.RELOADS_FAILED.name,): said["reloads_failed"],
        (m.OPEN.name,): said["sessions_open"],
        **{(metric.name,): min(found) for metric, found in least.items() if found},
    }
