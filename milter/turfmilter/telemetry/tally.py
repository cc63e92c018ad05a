"""Counts what a worker does, in memory; its regular report takes the numbers to the supervisor."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from threading import Lock

from turfmilter.core.ports import TimedStage
from turfmilter.core.report import Trial
from turfmilter.telemetry.metric import Histogram, Key, add
from turfmilter.telemetry.metrics import (
    CONNECTIONS,
    DURATION,
    EXCEPTIONS,
    HELD,
    MESSAGES,
    REFUSALS,
    STAGES,
    TRIALS,
    WRITE_DURATION,
    WRITE_ERRORS,
)

_MOST = 10_000  # events that wait to be counted, about 1 MB

_Observed = tuple[Histogram, tuple[Key, ...], float]


class Tally:
    """Implements ports.Counts.  All numbers start at 0 and only grow.

    What happens in a session is only appended, which is atomic and takes a tenth of a microsecond.  It is counted
    when the numbers are asked for, or when much of it has gathered.
    """

    def __init__(self) -> None:
        self._events: deque[Key] = deque()
        self._observed: deque[_Observed] = deque()
        self._durations = {stage: DURATION.keys(stage) for stage in STAGES}
        self._writes = WRITE_DURATION.keys()
        self._lock = Lock()  # for what follows: one thread counts
        # Counters that have no labels, and the sums of histograms, are there from the beginning: an alert on an
        # increase needs the 0 before it.
        self._numbers: dict[Key, float] = {(EXCEPTIONS.name,): 0, self._writes[-1]: 0}
        self._numbers |= {keys[-1]: 0 for keys in self._durations.values()}
        self._numbers |= {(WRITE_ERRORS.name, reason): 0 for reason in ("full", "error")}

    def connected(self, listener: str) -> None:
        """Count a client of the MTA."""
        self._events.append((CONNECTIONS.name, listener))
        if len(self._events) >= _MOST:
            self._count()

    def refused(self, listener: str, rule: str, verdict: str) -> None:
        """Count a connection, a recipient or a message that was rejected or deferred."""
        self._events.append((REFUSALS.name, listener, rule, verdict))
        if len(self._events) >= _MOST:  # one connection can have any number of them
            self._count()

    def answered(self, listener: str, verdict: str) -> None:
        """Count a message that received its final answer."""
        self._events.append((MESSAGES.name, listener, verdict))

    def tried(self, trials: Iterable[Trial]) -> None:
        """Count what rules in trial mode would have done with a message."""
        self._events.extend((TRIALS.name, one.rule, one.verdict) for one in trials)

    def took(self, stage: TimedStage, seconds: float) -> None:
        """Count the time of an answer."""
        self._observed.append((DURATION, self._durations[stage], seconds))
        if len(self._observed) >= _MOST:
            self._count()

    def held(self, rule: str, seconds: float) -> None:
        """Count a held message, and the time until it was safe on disk."""
        self._events.append((HELD.name, rule))
        self._observed.append((WRITE_DURATION, self._writes, seconds))

    def not_held(self, *, full: bool) -> None:
        """Count a message that could not be held."""
        self._events.append((WRITE_ERRORS.name, "full" if full else "error"))

    def failed(self) -> None:
        """Count an error in the program."""
        self._events.append((EXCEPTIONS.name,))

    def report(self) -> list[list[str | float]]:
        """Return each key with its number at its end, as JSON can have it; see `metric.Key`."""
        self._count()
        with self._lock:
            return [[*key, number] for key, number in self._numbers.items()]

    def _count(self) -> None:
        with self._lock:
            # Only as many as there are now: other threads append further ones in the meantime.
            add(Counter(self._events.popleft() for _ in range(len(self._events))), self._numbers)
            for _ in range(len(self._observed)):
                histogram, keys, seconds = self._observed.popleft()
                add({keys[histogram.bucket(seconds)]: 1, keys[-1]: seconds}, self._numbers)
