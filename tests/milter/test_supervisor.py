"""The supervisor by itself: what it does at once, although it looks around only now and then."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rig import wait
from rig.child import forked, status
from rig.ownworker import service
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.policy import Generation, Policy
from turfmilter.daemon import supervisor
from turfmilter.daemon.background import Caller
from turfmilter.daemon.listener import MilterSocket
from turfmilter.daemon.notify import Notify
from turfmilter.daemon.reload import Loaded, Program, Report
from turfmilter.daemon.supervisor import Supervisor
from turfmilter.desk import SystemClock
from turfmilter.telemetry.sink import Stream
from turfmilter.telemetry.writer import LogWriter

LookAfter = Callable[[Config, Mapping[str, Any]], Report]


class Onlooker(Notify):
    """A service manager that reads the status as soon as the daemon is ready."""

    def __init__(self, place: Path) -> None:
        super().__init__({})
        self._place = place

    def ready(self, status: str) -> None:
        """Add what it has read to the file `seen`."""
        path = self._place / "status.json"
        generation = json.loads(path.read_text())["generation"] if path.exists() else "no file"
        with (self._place / "seen").open("a") as seen:
            seen.write(f"{status}: {generation}\n")


@contextmanager
def serving(
    place: Path, look_after: LookAfter = lambda *_: Report(), *, status_file: Path | None = None
) -> Iterator[int]:
    """The process id of a supervisor with one worker and one quarantine, which looks around once an hour."""

    def load(number: int) -> Loaded:
        turf = replace(Config().turf, directory=place / "quarantine")
        config = replace(Config(), workers=1, status=status_file, turf=turf)
        return Loaded(config, Generation(Policy(()), number=number))

    def serve() -> None:
        supervisor._BEAT = 3600.0
        program = Program(
            load,
            lambda loaded, log: service(log, lambda: loaded.generation),
            lambda _config: LogWriter(Stream((place / "log").open("a"))),
            look_after,
            lambda _: [],
            SystemClock(),
        )
        listener = MilterSocket(SocketSpec.parse(f"unix:{place}/s"))
        Supervisor(listener, program, load(1), 0.0, caller=Caller(), notify=Onlooker(place)).run([("info", "serving")])

    with forked(serve) as pid:
        yield pid
        os.kill(pid, signal.SIGTERM)
        assert status(pid) == 0


def said(place: Path, text: str) -> None:
    """Wait until the log holds `text`."""
    log = place / "log"
    wait.until(lambda: log.exists() and text in log.read_text(), lambda: f"{text!r} in the log")


def test_the_caller_of_a_start_is_notified_as_soon_as_it_serves(place: Path) -> None:
    with serving(place):
        said(place, "serving")


def test_the_status_is_written_before_the_daemon_reports_that_it_is_ready(place: Path) -> None:
    with serving(place, status_file=place / "status.json") as pid:
        said(place, "serving")
        os.kill(pid, signal.SIGHUP)
        said(place, "generation 2: ")
    assert (place / "seen").read_text() == "generation 1: 1\ngeneration 2: 2\n"


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_it_receives_every_warning_about_the_quarantines(place: Path, size: int) -> None:
    def look_after(_config: Config, _before: Mapping[str, Any]) -> Report:
        return Report(["first", *["x" * 1000] * (size // 1000), "last"])

    with serving(place, look_after) as pid:
        said(place, "serving")
        os.kill(pid, signal.SIGHUP)
        said(place, "warning: last\n")


def test_it_receives_the_reason_why_an_upkeep_failed(place: Path) -> None:
    def look_after(config: Config, _before: Mapping[str, Any]) -> Report:
        raise LookupError(f"no such thing in {config.turf.directory}")

    with serving(place, look_after) as pid:
        said(place, "serving")
        os.kill(pid, signal.SIGHUP)
        said(place, f"the upkeep failed: LookupError: no such thing in {place}/quarantine\n")
