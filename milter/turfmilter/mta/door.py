"""Where connections come in: shut without closing those that are in."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")


class Door:
    """The listening socket with file descriptor `listening`, as this process has it; `open` until it is shut.

    libmilter keeps polling the descriptor, so what lies behind it is replaced by a socket that nobody knows.
    """

    def __init__(self, listening: int) -> None:
        self._listening = listening
        self._real = socket.socket(fileno=os.dup(listening))
        self._place = _place(self._real)
        # Made now: when it is needed there may be no descriptor left.
        self._nobody = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._nobody.setblocking(False)
        self._nobody.bind("")  # an abstract name of the kernel's choice
        self._nobody.listen(1)
        self.open = True

    def shut(self) -> None:
        """Let nobody in; who comes waits outside, or finds another worker."""
        os.dup2(self._nobody.fileno(), self._listening)
        self.open = False

    def reopen(self) -> None:
        """Let them in again."""
        os.dup2(self._real.fileno(), self._listening)
        self.open = True

    def close(self) -> None:
        """Let nobody in any more."""
        self.shut()
        self._real.close()  # who waits outside is not to wait for us

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
