"""A milter connection: frames out, frames in, and what they cost."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from pathlib import Path
from typing import Self

from rig import wait, wire
from rig.answer import Answer, Reading
from rig.wire import Action


class Link:
    """One connection to a filter at unix:PATH, inet:PORT@HOST or a Path.

    A filter that sends nothing for `timeout` seconds raises TimeoutError, one that closes raises ConnectionError.
    `sent_bytes` and `round_trips` count by event name ("mail", "macros", …).
    """

    def __init__(self, address: str | Path, *, timeout: float = wait.AMPLE) -> None:
        self.sent_bytes: Counter[str] = Counter()
        self.round_trips: Counter[str] = Counter()
        self._socket = _connect(str(address), timeout)
        self._input = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The connection's file descriptor, for select."""
        return self._socket.fileno()

    def close(self) -> None:
        """Break the connection, at whatever stage."""
        self._input.close()
        self._socket.close()

    def hang_up(self) -> None:
        """Break the connection, and return when the filter has closed its end, so that its own close has run."""
        with contextlib.suppress(OSError):  # it may have closed first, with bytes unread
            self._socket.shutdown(socket.SHUT_WR)
            self.read_to_end()
        self.close()

    def send(self, data: bytes, name: str = "raw") -> None:
        """Any bytes at all."""
        self.sent_bytes[name] += len(data)
        self._socket.sendall(data)

    def send_frame(self, command: bytes, payload: bytes = b"", name: str = "raw") -> None:
        """Any frame at all."""
        self.send(wire.frame(command, payload), name)

    def read_frame(self) -> tuple[bytes, bytes]:
        """The next frame of the filter: command and payload."""
        head = self._read(5)
        return head[4:], self._read(int.from_bytes(head[:4], "big") - 1)

    def read_answer(self, allowed: Action = Action.NONE) -> Answer:
        """The next answer, with the changes that `allowed` names."""
        reading = Reading(allowed)
        while (answer := reading.take(*self.read_frame())) is None:
            pass
        return answer

    def read_to_end(self) -> bytes:
        """What is still to be read when the filter has closed."""
        return self._input.read()

    def _read(self, size: int) -> bytes:
        data = self._input.read(size)
        if len(data) < size:
            raise ConnectionError("the filter closed the connection")
        return data


def accepts(address: str | Path) -> bool:
    """True if a filter accepts connections there."""
    try:
        _connect(str(address), 5.0).close()
    except OSError:
        return False
    return True


def _connect(address: str, timeout: float) -> socket.socket:
    if address.startswith(("inet:", "inet6:")):
        port, _, host = address.partition(":")[2].partition("@")
        return socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(address.removeprefix("unix:"))
    except OSError:
        connection.close()
        raise
    return connection
