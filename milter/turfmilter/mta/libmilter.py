"""The engine libmilter, through pymilter: its threads serve, while the main thread waits for the supervisor."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from turfmilter.mta import server
from turfmilter.mta.server import Door
from turfmilter.mta.service import Service

_MOMENT = 0.05  # seconds after which a connection that libmilter has just accepted is among the open files


class Libmilter:
    """Implements engine.Engine on the socket with file descriptor `listening`.

    `ended` is called with the reason if libmilter stops.  Raises TimeoutError if libmilter does not start.
    """

    def __init__(self, listening: int, service: Service, ended: Callable[[str], None]) -> None:
        self._door = Door(listening)
        server.start(listening, service, ended)

    @property
    def open(self) -> bool:
        """True while new connections are accepted."""
        return self._door.open

    def wait(self, control: socket.socket | None, seconds: float | None) -> bool:
        """Return True when `control` is readable, False after `seconds`; libmilter's own threads serve all the time."""
        poll = select.poll()
        if control is not None:
            poll.register(control, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    def shut(self) -> None:
        """Stop accepting for now."""
        self._door.shut()

    def reopen(self) -> None:
        """Accept connections again."""
        self._door.reopen()

    def close(self) -> None:
        """Stop accepting permanently."""
        self._door.close()
        time.sleep(_MOMENT)

    def occupied(self) -> bool:
        """True while a connection that was accepted here is open."""
        return self._door.occupied()
