"""The engine that is libmilter, through pymilter: its threads serve, and the main thread obeys the supervisor."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from turfmilter.mta import server
from turfmilter.mta.server import Door
from turfmilter.mta.service import Service

_MOMENT = 0.05  # seconds after which a connection that libmilter has just taken is among the open files


class Libmilter:
    """Implements engine.Engine on the socket with file descriptor `listening`; `ended` is told why it stops.

    Raises TimeoutError if libmilter does not start.
    """

    def __init__(self, listening: int, service: Service, ended: Callable[[str], None]) -> None:
        self._door = Door(listening)
        server.start(listening, service, ended)

    @property
    def open(self) -> bool:
        """True unless it was told to take no more connections."""
        return self._door.open

    def wait(self, control: socket.socket | None, seconds: float | None) -> bool:
        """True once `control` can be read, False after `seconds`; libmilter's own threads serve all the time."""
        poll = select.poll()
        if control is not None:
            poll.register(control, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    def shut(self) -> None:
        """Take no more connections for now."""
        self._door.shut()

    def reopen(self) -> None:
        """Take connections again."""
        self._door.reopen()

    def close(self) -> None:
        """Take no more connections at all."""
        self._door.close()
        time.sleep(_MOMENT)

    def occupied(self) -> bool:
        """True while a connection is open that came in here."""
        return self._door.occupied()
