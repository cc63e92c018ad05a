"""The clocks of a host that a test lets run, sets and boots, and a host that has run for a while already."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rig.filter import give
from turfmilter.core.held.message import Sighting
from turfmilter.core.steadiness import Reading
from turfmilter.stores.opened import OpenMaildir
from turfmilter.stores.retention import RetentionState, read_clocks

DAY = timedelta(days=1)


class HostClock:
    """Begins with the time of day that it is, so that the ctime of new files fits, and runs as fast."""

    def __init__(self) -> None:
        self._ahead = 0.0  # of the time of day that it is
        self._begun = time.monotonic() - 1000.0
        self._boots = 1

    def run(self, span: timedelta) -> None:
        """Let both clocks run for `span`."""
        self._ahead += span.total_seconds()
        self._begun -= span.total_seconds()

    def set(self, step: timedelta) -> None:
        """Change the time of day by `step`."""
        self._ahead += step.total_seconds()

    def boot(self, off: timedelta, *, up: timedelta = timedelta(seconds=60)) -> None:
        """The host was off for `off` by the time of day, and has been up for `up`."""
        self._ahead += (off + up).total_seconds()
        self._begun = time.monotonic() - up.total_seconds()
        self._boots += 1

    def now(self) -> datetime:
        """The time of day."""
        return datetime.fromtimestamp(time.time() + self._ahead, UTC)

    def read(self) -> Reading:
        """What the host's clocks show."""
        return Reading(time.time() + self._ahead, time.monotonic() - self._begun, f"boot-{self._boots}")


def has_watched(state: Path, quarantine: Path, span: timedelta) -> None:
    """As if this host had run for so long, and seen all the time what is in the quarantine at this moment."""
    memory, now = RetentionState(state), read_clocks()
    seconds = span.total_seconds()
    earlier = seconds - now.boottime  # before this boot
    if earlier <= 0:
        begun = memory.observe(Reading(now.wall - seconds, now.boottime - seconds, now.boot))
    else:
        begun = memory.observe(Reading(now.wall - earlier, 0.0, "the boot before"))
    with OpenMaildir(quarantine) as maildir:
        present = {Sighting(file.id, file.state.value != "unreviewed") for file, _ in maildir.files()}
    memory.seen(str(quarantine), present, begun.watched)
    if earlier > 0:
        memory.observe(Reading(now.wall, earlier, "the boot before"))
    memory.observe(now)
    give(state / "retention")
