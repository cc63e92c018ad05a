"""A quarantine with messages of some age, on a host whose clock the test turns."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rig import wait
from rig.desk import SLIP, Desk
from rig.hostclock import HostClock
from turfmilter.config.sections.quarantine import QuarantineConfig
from turfmilter.core.held.block import render
from turfmilter.review.expiry import Expiry
from turfmilter.review.observation import Observation, Watch
from turfmilter.stores.name import new_id
from turfmilter.stores.retention import RetentionState

TERMS = replace(QuarantineConfig(), floor=0.0)


class Shelf:
    """A quarantine with messages of some age, on a host whose clock the test turns."""

    def __init__(self, desk: Desk, state: Path) -> None:
        self.desk = desk
        self.clock = HostClock()
        self.state = state
        self._touched = 0  # nanoseconds: when the last message was put there
        state.mkdir()
        (desk.path / "new" / desk.file.name).unlink()

    def put(self, flags: str = "", *, size: int = 1000, **slip: Any) -> str:
        """A message that is held now, according to its block, and touched later than all that were put before."""
        file = self.desk.hold(replace(SLIP, **{"time": self.clock.now(), **slip}), message=b"x" * size)
        file = self.desk.maildir.change(file, add=flags) if flags else file
        # The clock of a file system may tick only 250 times a second.
        self._touched = wait.until(partial(self._later, self.desk.path / file.part / file.name), "the next tick")
        return file.id

    def _later(self, path: Path) -> int:
        """Touch a file; 0 if that was not later than the last message was put there."""
        path.chmod(0o640)
        touched = path.stat().st_ctime_ns
        return touched if touched > self._touched else 0

    def fill(self, number: int, **slip: Any) -> set[str]:
        """Many messages that are held now, according to their blocks; nothing is flushed to disk."""
        said = replace(SLIP, **{"time": self.clock.now(), **slip})
        ids = {new_id(said.time) for _ in range(number)}
        for id in ids:
            text = render(id, said, hashlib.sha256(b"").hexdigest())
            (self.desk.path / "new" / id).write_bytes(text)
        return ids

    def expiry(self, terms: QuarantineConfig = TERMS, watch: Watch | None = None) -> Expiry:
        """What looks after it, now; by default it knows what this host has observed."""
        watch = watch or Observation(RetentionState(self.state), self.clock.read)
        return Expiry(self.desk.held, self.desk.recorder, terms, watch, self.clock.now)

    def due(self, terms: QuarantineConfig = TERMS, watch: Watch | None = None) -> list[tuple[str, str]]:
        """What goes now, and why."""
        return [(due.message.id, due.why) for due in self.expiry(terms, watch).due()]

    def after(self, span: timedelta) -> list[tuple[str, str]]:
        """What is due when this host has looked at it now, and once more so much later."""
        self.due()
        self.clock.run(span)
        return self.due()

    def ids(self) -> set[str]:
        """What is in quarantine."""
        return {file.id for file, _ in self.desk.maildir.files()}
