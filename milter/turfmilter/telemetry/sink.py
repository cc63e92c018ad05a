"""Where the lines of the log go: syslog or a stream."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Protocol, TextIO

_FACILITY_MAIL = 2 << 3  # RFC 3164 §4.1.1
_PATIENCE = 0.5  # seconds that one line may wait in a full socket


class Sink(Protocol):
    """Takes one line, and may block for it: only the log's own thread calls it."""

    def send(self, severity: int, line: str, /) -> bool:
        """False when the line was not taken; it may be offered again.  `severity` is that of RFC 3164."""


class Stream:
    """A stream such as stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, _severity: int, line: str, /) -> bool:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # a reader that went away, or closed at exit
            return False
        return True


class Syslog:
    """The local syslog daemon, facility mail."""

    def __init__(self, path: Path = Path("/dev/log")) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, severity: int, line: str, /) -> bool:
        datagram = f"<{_FACILITY_MAIL | severity}>turfmilter[{os.getpid()}]: {line}".encode()
        # A syslogd that was restarted listens on a new socket: what was connected to the old one fails once.
        return self._sent(datagram) or self._sent(datagram)

    def _sent(self, datagram: bytes) -> bool:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.settimeout(_PATIENCE)
                self._socket.connect(str(self._path))
            self._socket.send(datagram)
        except OSError:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
            return False
        return True
