"""What an expiry may believe of time: what this host has seen itself, or, where somebody insists, what dates say."""

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
    """What is known of the age of messages.  `clock_trusted` is needed before an unreviewed message goes.

    `clock_jumped` says that the clock was found to be wrong less than a day ago.  `dates_suffice` says that a message
    need not have been seen for as long as its date tells.  `problems` are sentences for the administrator.
    """

    clock_trusted: bool
    clock_jumped: bool
    dates_suffice: bool
    problems: list[str]

    def look(self, store: str, present: Collection[Sighting], /) -> dict[Sighting, timedelta]:
        """For how long each of the messages in a quarantine has been seen; {} where that is not known."""

    def left(self, store: str, most: int, /) -> int:
        """How many unreviewed messages may go, if `most` may go in an hour."""

    def take(self, store: str, wanted: int, most: int, /) -> int:
        """How many of those that are `wanted` may go now; they count as gone."""


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
        """Why no unreviewed message expires at present; "" when that is not so, or a problem that says it already."""
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
        """Without a memory nothing is known: what nobody has reviewed stays."""
        self._course = None
        self.clock_trusted = False
        mend = f"; fix it with: {error.mend}" if error.mend else ""
        self.problems.append(f"{error}: unreviewed messages do not expire, because their age cannot be observed{mend}")


class Dates:
    """Implements Watch for an administrator who takes the clock and the dates of messages at their word."""

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
