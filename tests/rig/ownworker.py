"""One worker process with a Service of a test's own: for disks, clocks and rules that misbehave."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from rig import wait
from rig.child import forked, status
from rig.engine import ENGINE
from rig.milterclient import MilterClient
from turfmilter.config.schema import ProtocolEngine
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.policy import Generation
from turfmilter.core.ports import Clock, Log, Names
from turfmilter.daemon import worker
from turfmilter.daemon.listener import MilterSocket
from turfmilter.desk import SystemClock
from turfmilter.mta.engines import choose
from turfmilter.mta.service import Remarks, Service, Sessions
from turfmilter.stores.dns import DnsNames
from turfmilter.telemetry.sink import Stream
from turfmilter.telemetry.tally import Tally
from turfmilter.telemetry.writer import LogWriter


def service(
    log: Log,
    generation: Callable[[], Generation],
    *,
    clock: Clock | None = None,
    executor: Executor | None = None,
    names: Names | None = None,
) -> Service:
    """A Service with the given parts; the others are the real ones, and no name server is asked but this host."""
    return Service(
        generation=generation,
        names=names or DnsNames([("127.0.0.1", 53)], timeout=5.0),
        log=log,
        counts=Tally(),
        clock=clock or SystemClock(),
        executor=executor or ThreadPoolExecutor(4),
        sessions=Sessions(),
        watch=lambda _: None,
        remarks=Remarks(log),
    )


class OwnWorker:
    """A fork of this very process that serves at a socket in `place` with what `service` makes there.

    Connections that the test holds open are inherited: open none before the worker is started.
    """

    def __init__(
        self,
        place: Path,
        service: Callable[[LogWriter], Service],
        *,
        drain_seconds: float = 10.0,
        engine: ProtocolEngine = ENGINE,
    ) -> None:
        self.socket = place / "worker.sock"
        self._log_file = place / "worker.log"
        self._service = service
        self._drain_seconds = drain_seconds
        self._engine = engine
        self.pid = 0
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        listener = MilterSocket(SocketSpec.parse(f"unix:{self.socket}"))
        self._control, theirs = socket.socketpair()
        self.pid = self._ending.enter_context(forked(lambda: self._serve(listener, theirs)))
        listener.socket.close()
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()
        self._control.close()

    def _serve(self, listener: MilterSocket, control: socket.socket) -> None:
        self._control.close()
        log = LogWriter(Stream(self._log_file.open("a")))
        worker.run(
            listener.socket.fileno(), control, self._service, log, self._drain_seconds, choose(self._engine).start
        )

    def client(self) -> MilterClient:
        """A connection after its HELO."""
        client = MilterClient(self.socket)
        client.greet()
        return client

    def log(self) -> str:
        """Its log so far."""
        return self._log_file.read_text() if self._log_file.exists() else ""

    def wait_for_log(self, text: str) -> None:
        """Return when it has logged `text`."""
        wait.until(lambda: text in self.log(), lambda: f"{text!r} in:\n{self.log()}")

    def order_to_stop(self) -> None:
        """Tell it to finish its connections and end, as the end of its supervisor does."""
        self._control.close()

    def stop(self) -> int:
        """Its exit status (negative for a signal), once it has ended."""
        self.order_to_stop()
        return status(self.pid)
