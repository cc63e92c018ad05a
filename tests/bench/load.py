"""The load of SMTP sessions: one run of load.c."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.build import program
from bench.contestants import Contestant


@dataclass(frozen=True)
class Run:
    """What one run showed.  `cpu` are the filter's CPU seconds, `system` those of them in the kernel."""

    seconds: float
    sessions: int
    failed: int
    round_trips: int
    sent: int
    received: int
    accepted: int
    discarded: int
    refused: int
    deferred: int
    worst_ms: float
    cpu: float = 0.0
    system: float = 0.0

    @property
    def rate(self) -> float:
        """Sessions a second."""
        return self.sessions / self.seconds

    @property
    def cpu_each(self) -> float:
        """The filter's CPU microseconds a session."""
        return self.cpu / max(self.sessions, 1) * 1e6

    @property
    def system_each(self) -> float:
        """The part of it in the kernel."""
        return self.system / max(self.sessions, 1) * 1e6

    @property
    def lost(self) -> int:
        """Sessions that broke, and messages that were not answered as they should be."""
        return self.failed + self.refused + self.deferred

    def crossing(self) -> str:
        """What one session cost the socket."""
        each = max(self.sessions, 1)
        return (
            f"{self.round_trips / each:.1f} round trips, {self.sent / each:.0f} bytes to the filter,"
            f" {self.received / each:.0f} back"
        )


def load(filter_: Contestant, *options: str) -> Run:
    """Load `filter_`; the options are those of load.c."""
    with Load(filter_, *options) as running:
        return running.result()


class Load:
    """A load under way."""

    def __init__(self, filter_: Contestant, *options: str) -> None:
        self._filter = filter_
        self._before = filter_.cpu(), filter_.system()
        command: list[str | Path] = [program("load"), *options, filter_.socket]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._child.kill()
        self._child.wait()

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self._child.poll() is None

    def result(self) -> Run:
        """Wait for its end."""
        said, _ = self._child.communicate()
        if self._child.returncode:
            raise RuntimeError(f"the load ended with {self._child.returncode}")
        cpu, system = self._before
        return Run(**json.loads(said), cpu=self._filter.cpu() - cpu, system=self._filter.system() - system)
