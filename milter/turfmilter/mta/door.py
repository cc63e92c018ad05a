"""Where connections come in: closed without closing those that are in."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")


class Door:
    """The listening socket with file descriptor `listening`, as this process has it."""

    def __init__(self, listening: int) -> None:
        self._listening = listening
        with socket.socket(fileno=os.dup(listening)) as real:
            self._place = _place(real)

    def close(self) -> None:
        """Let nobody in any more.

        libmilter keeps polling the descriptor, so what lies behind it is replaced by a socket that nobody knows.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
            nobody.setblocking(False)
            nobody.bind("")  # an abstract name of the kernel's choice
            nobody.listen(1)
            os.dup2(nobody.fileno(), self._listening)

    def occupied(self) -> bool:
        """True while a connection is open that came in here, even one about which libmilter has told nothing yet."""
        return any(self._led_in(int(entry.name)) for entry in _OPEN_FILES.iterdir())

    def _led_in(self, descriptor: int) -> bool:
        try:
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                listens = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                return not listens and _place(connection) == self._place
        except OSError:  # it is no socket, or was closed while we looked
            return False


def _place(connection: socket.socket) -> tuple[int, object]:
    """What a listening socket and the connections that came in through it have in common."""
    name = connection.getsockname()
    return connection.family, name[1] if isinstance(name, tuple) else name
