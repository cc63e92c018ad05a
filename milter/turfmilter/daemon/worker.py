"""One process that serves connections, forked by the supervisor and ruled by a pipe."""

from __future__ import annotations

import gc
import os
import signal
from typing import NoReturn

from turfmilter.mta import server
from turfmilter.mta.service import Service
from turfmilter.telemetry.writer import LogWriter

FAILED = 70  # EX_SOFTWARE


def run(listening: int, orders: int, service: Service, log: LogWriter, drain_seconds: float) -> NoReturn:
    """Serve until the pipe `orders` is closed at its other end, then finish the open connections.

    The supervisor's end closes when it dies as well: no worker outlives it for long.
    """
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # libmilter waits for these signals in a thread of its own: only a thread that does not block them discards them.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _keep_to_one_processor()
    gc.freeze()  # what has been loaded stays: the collector need not look at whole tables again and again
    log.start()
    server.start(listening, service, lambda reason: _leave(log, reason, FAILED))
    os.read(orders, 1)
    server.stop_accepting(listening)
    if not service.sessions.wait_for_none(drain_seconds):
        log.say("warning", f"connections still open after {drain_seconds:g} s are dropped")
    _leave(log, "", 0)


def _keep_to_one_processor() -> None:
    """Threads that share Python's lock only get in each other's way on several: that doubles the cost of a session."""
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[os.getpid() % len(allowed)]})


def _leave(log: LogWriter, reason: str, code: int) -> NoReturn:
    if reason:
        log.say("error", reason)
    log.stop()
    # Python's own exit would wait for libmilter's thread, which never ends.
    os._exit(code)
