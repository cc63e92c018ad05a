"""The numbers behind the metrics: those of the workers, added up across their replacement, and the daemon's own."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from turfmilter import __version__
from turfmilter.config.changes import tables
from turfmilter.config.schema import Config
from turfmilter.core.finding import Action
from turfmilter.daemon.fleet import End, Process
from turfmilter.daemon.reload import Loaded
from turfmilter.telemetry import metrics as m
from turfmilter.telemetry.metric import Key, Numbers, add

LOOKUP_RESULTS = ("answered", "failed", "timeout")
FINAL = (Action.ACCEPT, Action.HOLD, Action.DISCARD, Action.REJECT, Action.TEMPFAIL)  # verdicts on messages


class Measures:
    """Adds up numbers.  A counter never falls: the last report of a worker that has ended is kept.

    `upkeep` are the numbers that the last upkeep of the quarantines has found.
    """

    def __init__(self) -> None:
        self.upkeep: Numbers = {}
        self._ended: dict[Key, float] = {(m.WORKER_ENDS.name, end.value): 0 for end in End}
        self._cpu = 0.0  # seconds, when last asked
        self._tables = _Tables()

    def ended(self, process: Process) -> None:
        """Keep the numbers of a worker that has ended, and count its end."""
        add(_reported(process.figures), self._ended)
        add({(m.WORKER_ENDS.name, process.end.value): 1}, self._ended)

    def now(self, loaded: Loaded, processes: Sequence[Process], now: datetime) -> Numbers:
        """Return all numbers except those that are in the status anyway."""
        numbers = dict.fromkeys(_expected(loaded), 0.0)
        for some in (self._ended, *(_reported(process.figures) for process in processes)):
            add(some, numbers)
        states = Counter(process.state for process in processes)
        self._cpu = max(self._cpu, _cpu_seconds(processes))  # rounding must not let a counter fall
        return {
            **numbers,
            **self.upkeep,
            **self._tables.numbers(loaded.config, now.date()),
            **{(m.WORKERS.name, state): states[state] for state in Process.STATES},
            (m.BUILD.name, __version__): 1,
            (m.WRITTEN.name,): round(now.timestamp(), 3),
            (m.CPU.name,): self._cpu,
            (m.MEMORY.name,): sum(process.figures.get("pss", 0) for process in processes),
            (m.NAT.name,): max((process.figures.get("clients_behind_nat", 0) for process in processes), default=0),
        }


class _Tables:
    """The number of entries of each table, and of those that have expired: counted when that can have changed."""

    def __init__(self) -> None:
        self._of: tuple[Config, date] | None = None
        self._numbers: Numbers = {}

    def numbers(self, config: Config, today: date) -> Numbers:
        """Return the numbers for the tables of `config`, as they are `today`."""
        if self._of is None or self._of[0] is not config or self._of[1] != today:
            every = tables(config)
            self._numbers = {(m.ENTRIES.name, name): len(table) for name, table in every.items()}
            self._numbers |= {(m.EXPIRED.name, name): table.expired(today) for name, table in every.items()}
            self._of = config, today
        return self._numbers


def _expected(loaded: Loaded) -> Iterator[Key]:
    """Yield the keys of the counters that are 0 at first: an alert on an increase needs the 0 before it."""
    for listener in (policy.listener for policy in loaded.generation.policies):
        yield m.CONNECTIONS.name, listener
        yield from ((m.MESSAGES.name, listener, verdict.value) for verdict in FINAL)


def _reported(figures: Mapping[str, Any]) -> Numbers:
    """Return the numbers in the last report of a worker; none before its first."""
    if not figures:
        return {}
    return {
        **{tuple(key): number for *key, number in figures.get("counts", ())},
        **{(m.LOOKUPS.name, result): figures.get(f"names_{result}", 0) for result in LOOKUP_RESULTS},
        (m.CACHE_HITS.name,): figures.get("names_known", 0),
        (m.LINES_DROPPED.name,): figures.get("log_lines_dropped", 0),
    }


def _cpu_seconds(processes: Sequence[Process]) -> float:
    """Return what all processes have used: this one, those that were waited for, and the workers by their reports."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = sum(process.figures.get("cpu_seconds", 0.0) for process in processes)
    return float(round(time.process_time() + ended.ru_utime + ended.ru_stime + running, 3))
