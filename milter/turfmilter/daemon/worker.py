"""One process that serves connections, forked by the supervisor and ruled by a socket between the two.

The supervisor writes lines: `probe` is answered with this process's figures, `drain SECONDS` ends it in peace.
The worker writes JSON objects, one a line: its figures, first when it serves, or why it cannot.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import NoReturn

from turfmilter.daemon import descriptors
from turfmilter.mta.engine import Engine
from turfmilter.mta.engines import Start
from turfmilter.mta.service import Service
from turfmilter.telemetry.writer import LogWriter

FAILED = 70  # EX_SOFTWARE
_LOOK = 0.05  # seconds between two looks whether the last connection has gone
_SMAPS = Path("/proc/self/smaps_rollup")


def run(
    listening: int,
    control: socket.socket,
    make_service: Callable[[LogWriter], Service],
    log: LogWriter,
    drain_seconds: float,
    start: Start,
) -> NoReturn:
    """Serve with the engine that `start` makes until told to drain, then finish the open connections.

    The end of `control` means the same, within `drain_seconds`: no worker outlives its supervisor for long.
    """
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # libmilter waits for these signals in a thread of its own: only a thread that does not block them discards them.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    log.start()
    try:
        service = make_service(log)
        engine = start(listening, service, lambda reason: _fail(control, log, reason))
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor must hear it
        _fail(control, log, f"{type(error).__name__}: {error}")
    Worker(engine, control, service, log, drain_seconds).run()


class Worker:
    """This process while it serves."""

    def __init__(
        self, engine: Engine, control: socket.socket, service: Service, log: LogWriter, drain_seconds: float
    ) -> None:
        self._engine = engine
        self._control = control
        self._service = service
        self._log = log
        self._drain_seconds = drain_seconds
        self._deadline = inf
        self._alone = False  # the supervisor has gone
        self._input = b""

    def run(self) -> NoReturn:
        """Obey the supervisor."""
        self._answer()
        while self._deadline == inf or self._busy():
            seconds = None if self._deadline == inf else _LOOK
            if self._engine.wait(None if self._alone else self._control, seconds):
                self._alone = not self._obey()
        _leave(self._log, 0)

    def _obey(self) -> bool:
        """Read what the supervisor wants; False when there is none any more."""
        data = _received(self._control)
        *orders, self._input = (self._input + data).split(b"\n")
        for order in orders:
            word, _, seconds = order.partition(b" ")
            if word == b"drain":
                self._drain(float(seconds))
            self._keep_descriptors()
            self._answer()
        if not data:
            self._drain(self._drain_seconds)
        return bool(data)

    def _drain(self, seconds: float) -> None:
        if self._deadline == inf:
            self._engine.close()
        if time.monotonic() + seconds < self._deadline:
            self._deadline, self._drain_seconds = time.monotonic() + seconds, seconds

    def _keep_descriptors(self) -> None:
        """Take no connection while there are too few for it: libmilter would spin without a word."""
        if self._deadline < inf:
            return
        scarce = descriptors.scarce(again=not self._engine.open)
        if scarce and self._engine.open:
            self._engine.shut()
            self._log.say(
                "warning",
                f"{self._service.sessions.open} connections are open, and hardly one more of {descriptors.limit()}"
                " files may be: none is taken until some end; raise LimitNOFILE of the service",
            )
        elif not scarce and not self._engine.open:
            self._engine.reopen()
            self._log.say("info", "connections are taken again")

    def _busy(self) -> bool:
        """True while connections are open, and there is time."""
        if not self._service.sessions.open and not self._engine.occupied():
            return False
        late = time.monotonic() >= self._deadline
        if late:
            self._log.say("warning", f"connections still open after {self._drain_seconds:g} s are dropped")
        return not late

    def _answer(self) -> None:
        _tell(self._control, self._figures())

    def _figures(self) -> dict[str, float]:
        sessions = self._service.sessions
        return {
            "open": sessions.open,
            "served": sessions.served,
            "full": not self._engine.open,
            "cpu_seconds": round(time.process_time(), 3),
            **_memory(),
            "log_lines_dropped": self._log.dropped,
            **self._service.figures(),
        }


def _received(control: socket.socket) -> bytes:
    try:
        return control.recv(4096)
    except ConnectionError:
        return b""


def _tell(control: socket.socket, said: object) -> None:
    try:
        # One that does not read loses an answer, and is not waited for.
        control.send(json.dumps(said).encode() + b"\n", socket.MSG_DONTWAIT)
    except OSError:
        return


def _memory() -> dict[str, int]:
    """Bytes in memory: `rss` with what is shared, `pss` with this process's share of it."""
    try:
        lines = _SMAPS.read_text().splitlines()[1:]
    except OSError:  # a kernel or a container that hides it
        return {}
    sizes = {key: int(rest.split()[0]) * 1024 for key, _, rest in (line.partition(":") for line in lines)}
    return {"rss": sizes["Rss"], "pss": sizes["Pss"]}


def _fail(control: socket.socket, log: LogWriter, reason: str) -> NoReturn:
    _tell(control, {"failed": reason})
    log.say("error", reason)
    _leave(log, FAILED)


def _leave(log: LogWriter, code: int) -> NoReturn:
    log.stop()
    # Python's own exit would wait for libmilter's thread, which never ends.
    os._exit(code)
