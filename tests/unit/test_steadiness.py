"""Whether the clock can be trusted, reading by reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rig.hostclock import DAY, HostClock
from turfmilter.core.steadiness import Course, observe

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
Do = Callable[[HostClock], Any]


def course(*happenings: Do, first: Do = lambda _: None) -> Course:
    """The course after an observation at the beginning, and one after each of the events."""
    clock = HostClock()
    first(clock)
    found = observe(None, clock.read())
    for happening in happenings:
        happening(clock)
        found = observe(found, clock.read())
    return found


def ran(span: timedelta) -> Do:
    return lambda clock: clock.run(span)


def was_set(step: timedelta) -> Do:
    return lambda clock: clock.set(step)


def booted(off: timedelta, **more: timedelta) -> Do:
    return lambda clock: clock.boot(off, **more)


def test_a_clock_is_trusted_after_a_day_in_which_it_ran_evenly() -> None:
    assert not course().trusted
    assert not course(ran(DAY - MINUTE)).trusted
    assert course(ran(DAY)).trusted
    assert course(*[ran(HOUR)] * 24).trusted


@pytest.mark.parametrize("step", [31 * DAY, 2 * HOUR, -2 * HOUR, -31 * DAY, HOUR + MINUTE, -HOUR - MINUTE])
def test_a_step_of_more_than_an_hour_is_found_and_the_day_starts_again(step: timedelta) -> None:
    found = course(ran(2 * DAY), was_set(step))
    assert not found.trusted
    assert f"{'forward' if step > timedelta() else 'backward'} by {abs(step)}" in found.jump
    assert not course(ran(2 * DAY), was_set(step), ran(DAY - MINUTE)).trusted
    after = course(ran(2 * DAY), was_set(step), ran(DAY - MINUTE), ran(MINUTE))
    assert (after.trusted, after.jump) == (True, "")


@pytest.mark.parametrize("step", [HOUR - MINUTE, MINUTE - HOUR, timedelta(seconds=30), timedelta()])
def test_a_small_step_is_none(step: timedelta) -> None:
    found = course(ran(2 * DAY), was_set(step))
    assert (found.trusted, found.jump) == (True, "")


def test_many_small_steps_are_found_as_one_large_one_is() -> None:
    steps = [was_set(40 * MINUTE), ran(MINUTE)] * 2
    found = course(ran(2 * DAY), *steps)
    assert not found.trusted
    assert "forward by 1:20:00" in found.jump


def test_small_corrections_every_night_are_not_a_jump() -> None:
    assert course(ran(2 * DAY), *[ran(DAY + MINUTE), was_set(20 * MINUTE)] * 30).trusted


@pytest.mark.parametrize(
    ("off", "jumped", "trusted"),
    [
        (5 * MINUTE, False, True),
        (DAY - HOUR, False, True),
        (2 * DAY, False, False),
        (29 * DAY, False, False),
        (31 * DAY, True, False),
        (-HOUR, True, False),
        (-2 * MINUTE, True, False),
    ],
)
def test_across_a_boot_more_than_thirty_days_are_a_jump_and_more_than_one_waits_for_a_day(
    off: timedelta, jumped: bool, trusted: bool
) -> None:
    found = course(ran(2 * DAY), booted(off))
    assert (bool(found.jump), found.trusted) == (jumped, trusted)
    if jumped:
        assert "across a reboot" in found.jump
    assert course(ran(2 * DAY), booted(off), ran(DAY)).trusted


def test_a_host_that_is_off_every_night_gets_its_day_together() -> None:
    assert course(*[ran(9 * HOUR), booted(15 * HOUR)] * 3).trusted


def test_watched_counts_how_long_the_host_ran_whatever_its_time_of_day() -> None:
    found = course(ran(DAY), was_set(400 * DAY), ran(HOUR), booted(20 * DAY, up=HOUR), was_set(-500 * DAY), ran(HOUR))
    assert found.watched == pytest.approx((DAY + 3 * HOUR).total_seconds())


def test_a_step_to_a_time_outside_of_the_calendar_is_reported() -> None:
    assert "a time outside of the calendar" in course(ran(DAY), was_set(timedelta(days=400_000_000))).jump
