"""Whether the clock of this host can be trusted: the time of day must advance as fast as the time since boot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

_HOUR, DAY = 3600.0, 86_400.0
_MAX_REBOOT_SECONDS = 30 * DAY  # a larger step of the time of day across a reboot is implausible


class StateError(Exception):
    """Nothing can be remembered about clock and messages; the text says why.

    `fix` is the command that helps, "" if there is none.
    """

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks of this host at one moment, in seconds.

    `wall` is the time of day since the epoch.  `boottime` is the time since the boot with the id `boot`: it cannot
    be set, and continues while the host is suspended (CLOCK_BOOTTIME, clock_gettime(2)).
    """

    wall: float
    boottime: float
    boot: str


@dataclass(frozen=True, slots=True)
class Course:
    """What has been observed of the clock.

    `watched` is for how many seconds this host has run since the first observation, by the boot clock alone: the time
    of day does not affect it.  `steady_from` is the value of `watched` when the clock was last found wrong or unknown.
    `anchor` is a reading of the same boot, up to a day old: with it, many small steps add up to a large one.
    `jump` describes the last step that was found, "" if there was none or a day has passed since.
    """

    last: Reading
    anchor: Reading
    watched: float = 0.0
    steady_from: float = 0.0
    jump: str = ""

    @property
    def trusted(self) -> bool:
        """True if the clock has been plausible for a day."""
        return self.watched - self.steady_from >= DAY


def observe(before: Course | None, now: Reading) -> Course:
    """Return the course after one more reading.  The first reading starts the day in which the clock is on trial."""
    if before is None:
        return Course(now, now)
    same_boot = now.boot == before.last.boot
    ran = now.boottime - before.last.boottime if same_boot else now.boottime
    course = replace(before, last=now, watched=before.watched + max(ran, 0.0))
    step = _step(before.anchor, now) if same_boot else now.wall - before.last.wall
    if not (abs(step) <= _HOUR if same_boot else 0 <= step <= _MAX_REBOOT_SECONDS):
        return replace(course, anchor=now, steady_from=course.watched, jump=_said(step, now, same_boot=same_boot))
    if same_boot:
        if now.boottime - before.anchor.boottime > DAY:  # so that small corrections do not add up to a step
            course = replace(course, anchor=now)
    else:
        # No clock can be compared while the host was off: a step of more than a day may be real, but is not trusted
        # until another day has passed.
        course = replace(course, anchor=now, steady_from=course.watched if step > DAY else course.steady_from)
    return replace(course, jump="") if course.trusted else course


def _step(anchor: Reading, now: Reading) -> float:
    """Return by how many seconds the time of day was set since `anchor`."""
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
        return "a time outside of the calendar"
