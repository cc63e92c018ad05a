"""The process that owns the socket and the signals; it never enters libmilter."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from typing import NoReturn

from turfmilter.daemon import worker
from turfmilter.daemon.listener import Listener
from turfmilter.mta.service import Service
from turfmilter.telemetry.writer import LogWriter

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_DRAIN_SECONDS = 30.0
_SHORTEST_LIFE = 5.0  # a worker that dies younger than this is started again only after a pause
_PAUSE = 1.0


class Supervisor:
    """Keeps a worker running until it is told to stop."""

    def __init__(
        self, listener: Listener, service: Callable[[LogWriter], Service], log: Callable[[], LogWriter]
    ) -> None:
        """`service` and `log` are made in the worker, after the fork: threads do not survive one."""
        self._listener = listener
        self._service = service
        self._make_log = log
        self._worker = 0
        self._orders = -1

    def run(self, ready: Callable[[], None], greeting: Iterable[str]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is called when connections can be made, `greeting` is logged.

        Workers inherit standard input, output and error as `ready` leaves them.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        ready()
        self._start_worker()
        log = self._make_log()
        log.start()
        for sentence in greeting:
            log.say("info", sentence)
        while self._handle(signal.sigwait(_SIGNALS), log):
            pass
        log.say("info", "stopping: open connections are finished first")
        self._stop()
        log.say("info", "stopped")
        log.stop()

    def _handle(self, number: int, log: LogWriter) -> bool:
        """False when the time has come to stop."""
        if number == signal.SIGHUP:
            log.say("warning", "SIGHUP: a changed configuration is read at the next start")
        elif number == signal.SIGCHLD:
            self._replace(log)
        return number not in (signal.SIGTERM, signal.SIGINT)

    def _start_worker(self) -> None:
        orders, self._orders = os.pipe()
        self._begun = time.monotonic()
        self._worker = os.fork()
        if self._worker == 0:
            self._work(orders)
        os.close(orders)

    def _work(self, orders: int) -> NoReturn:
        """The forked process.  Whatever happens it does not come back: the socket's path is the supervisor's."""
        try:
            os.close(self._orders)
            log = self._make_log()
            worker.run(self._listener.socket.fileno(), orders, self._service(log), log, _DRAIN_SECONDS)
        except Exception:  # noqa: BLE001 - before there is a log
            traceback.print_exc()
        finally:
            os._exit(worker.FAILED)

    def _replace(self, log: LogWriter) -> None:
        """The worker has died: its connections get the MTA's default action, the next ones a new worker."""
        ended, status = os.waitpid(self._worker, os.WNOHANG)
        if not ended:
            return
        os.close(self._orders)
        log.say("error", f"worker {ended} ended ({_how(status)}), starting another")
        if time.monotonic() - self._begun < _SHORTEST_LIFE:
            signal.sigtimedwait((), _PAUSE)
        self._start_worker()

    def _stop(self) -> None:
        self._listener.close()
        os.close(self._orders)
        os.waitpid(self._worker, 0)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit {code}"
