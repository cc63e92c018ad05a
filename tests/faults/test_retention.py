"""Every system call fails in turn, or is its process's last, while the upkeep writes down what it has observed.

Whatever comes of it: no message seems older than this host has seen it, no more go in an hour, and it works again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from rig.tracer import Fault, Point, Traced, traced
from turfmilter.core.held.message import Sighting
from turfmilter.core.steadiness import Reading, StateError
from turfmilter.stores.retention import RetentionState

QUARANTINE = "/quarantine"
OLD, NEW = Sighting("2qqm91-a56eja", reviewed=False), Sighting("2qqm91-p8nwz9", reviewed=False)
BEGIN = Reading(1_764_000_000.0, 1000.0, "boot")
HOURS = 3600.0
LATER = Reading(BEGIN.wall + 20 * HOURS, BEGIN.boottime + 20 * HOURS, "boot")
NOTHING_GRANTED = 200


def make(directory: Path) -> RetentionState:
    directory.mkdir()
    state = RetentionState(directory)
    state.seen(QUARANTINE, {OLD}, state.observe(BEGIN).watched)
    return state


def look_after(state: RetentionState, fault: Fault | None = None) -> Traced:
    """As the upkeep does it; the exit status is how many messages were granted."""

    def run() -> int:
        try:
            watched = state.observe(LATER).watched
            state.seen(QUARANTINE, {OLD, NEW}, watched)
            return state.take(QUARANTINE, 60, 100, watched)
        except StateError:
            return NOTHING_GRANTED

    return traced(run, fault)


def faults(calls: list[Point]) -> Iterator[Fault]:
    yield from (Fault(at, after=after) for at in calls for after in (False, True))
    yield from (Fault(at, errno.EIO) for at in calls)


def test_no_fault_ages_a_message_or_grants_one_twice(tmp_path: Path) -> None:
    calls = look_after(make(tmp_path / "whole")).calls
    for fault in faults(calls):
        state = make(tmp_path / str(fault))
        granted = look_after(state, fault).status
        assert granted in (60, NOTHING_GRANTED, -9), fault
        watched = state.observe(LATER).watched
        assert watched in (0.0, 20 * HOURS), fault  # 0: it was damaged, and begun again
        seen = state.seen(QUARANTINE, {OLD, NEW}, watched)
        assert seen[OLD] <= 20 * HOURS, fault
        assert seen[NEW] == 0, fault
        assert state.left(QUARANTINE, 100, watched) <= (40 if granted == 60 else 100), fault
