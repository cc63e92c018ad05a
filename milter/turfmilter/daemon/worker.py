"""A worker: a process that serves connections, forked by the supervisor and controlled through a socket pair.

The supervisor writes lines: `probe` requests a report, `drain SECONDS` lets open connections finish and then ends the
worker.  The worker writes JSON objects, one per line: its figures, for the first time when it serves and for the last
time when it ends, or {"failed": REASON} if it cannot serve.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import NoReturn

from turfmilter.daemon import descriptors
from turfmilter.mta.engine import Engine
from turfmilter.mta.engines import Start
from turfmilter.mta.service import Service
from turfmilter.telemetry.writer import LogWriter

FAILED = 70  # the exit status of a worker that cannot serve: EX_SOFTWARE of sysexits(3)
_LOOK = 0.05  # seconds between two checks, while draining, whether the last connection has ended
_SMAPS = Path("/proc/self/smaps_rollup")


def run(
    listening: int,
    control: socket.socket,
    make_service: Callable[[LogWriter], Service],
    log: LogWriter,
    drain_seconds: float,
    start: Start,
) -> NoReturn:
    """Serve with the engine that `start` makes until told to drain, then finish the open connections and exit.

    If `control` is closed, the worker drains within `drain_seconds`, so that it does not outlive its supervisor.
    """
    # The supervisor decides when to stop; a signal to the whole process group must not end the worker early.
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # libmilter, if it serves, has a thread that waits for these signals with sigwait.  An ignored signal is discarded
    # on arrival only if it is not blocked in this thread, so the mask inherited from the supervisor is cleared.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    log.start()
    try:
        service = make_service(log)
        engine = start(listening, service, lambda reason: _fail(control, log, reason))
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor must be told
        _fail(control, log, f"{type(error).__name__}: {error}")
    Worker(engine, control, service, log, drain_seconds).run()


class Worker:
    """The main thread of a worker while its engine serves: answers probes, drains, and watches the descriptors."""

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
        self._unsent = b""

    def run(self) -> NoReturn:
        """Follow the supervisor's orders until the last connection has ended, then exit the process."""
        self._answer()
        while self._deadline == inf or self._busy():
            seconds = None if self._deadline == inf else _LOOK
            if self._engine.wait(None if self._alone else self._control, seconds):
                self._alone = not self._obey()
        self._service.finish()
        self._log.stop()
        self._answer()  # after the log, so that the lines that it dropped are counted
        _exit(0)

    def _obey(self) -> bool:
        """Read and follow orders; False if the supervisor has closed its end."""
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
        """Stop accepting while descriptors are scarce, and log it; libmilter would loop without any message."""
        if self._deadline < inf:
            return
        scarce = descriptors.scarce(again=not self._engine.open)
        if scarce and self._engine.open:
            self._engine.shut()
            self._log.say(
                "warning",
                f"{self._service.sessions.open} connections are open and the limit of {descriptors.limit()} open files"
                " is near: not accepting connections until some close; raise LimitNOFILE of the service",
            )
        elif not scarce and not self._engine.open:
            self._engine.reopen()
            self._log.say("info", "accepting connections again")

    def _busy(self) -> bool:
        """True while connections are open and the deadline has not passed; logs a warning when it has."""
        if not self._service.sessions.open and not self._engine.occupied():
            return False
        late = time.monotonic() >= self._deadline
        if late:
            self._log.say("warning", f"connections still open after {self._drain_seconds:g} s are dropped")
        return not late

    def _answer(self) -> None:
        """Report, without blocking: a supervisor that does not read loses an answer, and asks again."""
        said = self._unsent + _line(self._figures())
        try:
            sent = self._control.send(said, socket.MSG_DONTWAIT)
        except OSError:
            return
        # If the buffer is nearly full, a part is sent.  That line must be completed, or the next would be damaged too.
        rest = said[sent:]
        self._unsent = b"" if said[:sent].endswith(b"\n") else rest[: rest.index(b"\n") + 1]

    def _figures(self) -> dict[str, object]:
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


def _line(said: object) -> bytes:
    return json.dumps(said).encode() + b"\n"


def _memory() -> dict[str, int]:
    """The memory of this process in bytes: `rss` counts shared pages fully, `pss` proportionally (proc(5))."""
    try:
        lines = _SMAPS.read_text().splitlines()[1:]
    except OSError:  # some kernels and containers do not provide it
        return {}
    sizes = {key: int(rest.split()[0]) * 1024 for key, _, rest in (line.partition(":") for line in lines)}
    return {"rss": sizes["Rss"], "pss": sizes["Pss"]}


def _fail(control: socket.socket, log: LogWriter, reason: str) -> NoReturn:
    with suppress(OSError):
        control.send(_line({"failed": reason}), socket.MSG_DONTWAIT)
    log.say("error", reason)
    log.stop()
    _exit(FAILED)


def _exit(code: int) -> NoReturn:
    # Python's normal exit would wait for threads that may never end: libmilter's, or one that waits for a disk.
    os._exit(code)
