"""What expiry may assume about ages: what this host has observed, or the dates if an administrator insists."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Protocol

from turfmilter.core.held.message import Sighting
from turfmilter.core.ports import RetentionMemory
from turfmilter.core.steadiness import Course, Reading, StateError

_EVENLY = "no message expires by its age until the clock has run evenly for a day"


class Watch(Protocol):
    """What is known about the age of messages.  Unreviewed messages are removed only if `clock_trusted`.

    `clock_jumped`: the clock was found to be wrong less than a day ago.  `dates_suffice`: a message need not have
    been observed for as long as its date suggests.  `problems` are sentences for the administrator.
    """

    clock_trusted: bool
    clock_jumped: bool
    dates_suffice: bool
    problems: list[str]

    def look(self, store: str, present: Collection[Sighting], /) -> dict[Sighting, timedelta]:
        """Return for how long each message in a quarantine has been seen; {} if that is not known."""

    def left(self, store: str, most: int, /) -> int:
        """Return how many more unreviewed messages may be removed, if `most` may be removed in an hour."""

    def take(self, store: str, wanted: int, most: int, /) -> int:
        """Return how many of the `wanted` messages may be removed now; they count as removed."""


class Observation:
    """Implements Watch with what `memory` keeps.  `clocks` returns a reading of the clocks, or raises StateError."""

    dates_suffice = False

    def __init__(self, memory: RetentionMemory, clocks: Callable[[], Reading]) -> None:
        self._memory = memory
        self.clock_trusted = self.clock_jumped = False
        self.problems: list[str] = []
        self._course: Course | None = None
        try:
            self._course = memory.observe(clocks())
        except StateError as error:
            self._give_up(error)
            return
        self.clock_trusted = self._course.trusted
        self.clock_jumped = bool(self._course.jump)
        if self.clock_jumped:
            self.problems.append(f"{self._course.jump}: {_EVENLY}")

    @property
    def waiting(self) -> str:
        """Why no unreviewed message expires at present; "" if some may, or if a problem already explains it."""
        return "" if self.clock_trusted or self.problems else f"the clock was not observed for long enough: {_EVENLY}"

    def look(self, store: str, present: Collection[Sighting]) -> dict[Sighting, timedelta]:
        if self._course is None:
            return {}
        try:
            seen = self._memory.seen(store, present, self._course.watched)
        except StateError as error:
            self._give_up(error)
            return {}
        return {one: timedelta(seconds=span) for one, span in seen.items()}

    def left(self, store: str, most: int) -> int:
        return self._granted(lambda course: self._memory.left(store, most, course.watched))

    def take(self, store: str, wanted: int, most: int) -> int:
        return self._granted(lambda course: self._memory.take(store, wanted, most, course.watched))

    def _granted(self, ask: Callable[[Course], int]) -> int:
        if self._course is None:
            return 0
        try:
            return ask(self._course)
        except StateError as error:
            self._give_up(error)
            return 0

    def _give_up(self, error: StateError) -> None:
        """Record that nothing is known without a memory: unreviewed messages are kept."""
        self._course = None
        self.clock_trusted = False
        fix = f"; fix it with: {error.fix}" if error.fix else ""
        self.problems.append(f"{error}: unreviewed messages do not expire, because their age cannot be observed{fix}")


class Dates:
    """Implements Watch for an administrator who trusts the clock and the dates of messages."""

    clock_trusted, clock_jumped, dates_suffice = True, False, True
    waiting = ""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def look(self, _store: str, _present: Collection[Sighting], /) -> dict[Sighting, timedelta]:
        return {}

    def left(self, _store: str, _most: int, /) -> int:
        return sys.maxsize

    def take(self, _store: str, wanted: int, _most: int, /) -> int:
        return wanted
