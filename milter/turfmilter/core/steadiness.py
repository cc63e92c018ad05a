"""Whether the clock of this host can be believed: the time of day must move as the time since the boot does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

_HOUR, DAY = 3600.0, 86_400.0
_MAX_REBOOT_SECONDS = 30 * DAY  # further the time of day must not have moved while the host was off


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks of this host at one moment, in seconds.

    `wall` is the time of day since the epoch, `boottime` the time since the boot with the id `boot`, which nobody can
    set (CLOCK_BOOTTIME: it goes on while the host sleeps).
    """

    wall: float
    boottime: float
    boot: str


@dataclass(frozen=True, slots=True)
class Course:
    """How the clock has run as far as it was observed.

    `watched` counts the seconds for which this host ran, from the first observation on, by the boot clock alone: the
    time of day has no part in it.  `steady_from` is what it was when the clock was last found to be wrong or unknown.
    `anchor` is an earlier reading of the same boot, up to a day old: many small steps are found as one large one is.
    `jump` says what was found last, "" when there was nothing or a day has passed since.
    """

    last: Reading
    anchor: Reading
    watched: float = 0.0
    steady_from: float = 0.0
    jump: str = ""

    @property
    def trusted(self) -> bool:
        """True when the clock has been plausible for a day."""
        return self.watched - self.steady_from >= DAY


def observe(before: Course | None, now: Reading) -> Course:
    """The course with one more reading.  With none before it the day begins that the clock must be plausible for."""
    if before is None:
        return Course(now, now)
    same_boot = now.boot == before.last.boot
    ran = now.boottime - before.last.boottime if same_boot else now.boottime
    course = replace(before, last=now, watched=before.watched + max(ran, 0.0))
    step = _step(before.anchor, now) if same_boot else now.wall - before.last.wall
    if not (abs(step) <= _HOUR if same_boot else 0 <= step <= _MAX_REBOOT_SECONDS):
        return replace(course, anchor=now, steady_from=course.watched, jump=_said(step, now, same_boot=same_boot))
    if same_boot:
        if now.boottime - before.anchor.boottime > DAY:
            course = replace(course, anchor=now)
    else:
        # While the host was off no clock of ours ran: what is more than a day may be true, and waits for another one.
        course = replace(course, anchor=now, steady_from=course.watched if step > DAY else course.steady_from)
    return replace(course, jump="") if course.trusted else course


def _step(anchor: Reading, now: Reading) -> float:
    """By how much the time of day was set since, in seconds."""
    return (now.wall - anchor.wall) - (now.boottime - anchor.boottime)


def _said(step: float, now: Reading, *, same_boot: bool) -> str:
    way = "forward" if step > 0 else "backward"
    boot = "" if same_boot else " across a reboot"
    span = timedelta(seconds=round(abs(step)))
    return f"the clock moved {way} by {span}{boot}, as seen at {_written(now.wall)}"


def _written(wall: float) -> str:
    try:
        return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return "a time that no calendar has"
