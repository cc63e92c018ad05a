"""Where the lines of the log go: syslog or a stream."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TextIO

_FACILITY_MAIL = 2 << 3  # RFC 3164 §4.1.1
_PATIENCE = 0.5  # seconds that one line may wait in a full socket


Line = tuple[int, str]  # the severity of RFC 3164, and the text


class Sink(Protocol):
    """Takes lines, and may block for them: only the log's own thread calls it."""

    def send(self, lines: Sequence[Line], /) -> int:
        """How many of the lines were taken, from the first on; the others may be offered again."""


class Stream:
    """A stream such as stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, lines: Sequence[Line], /) -> int:
        try:
            self._stream.write("".join(f"{line}\n" for _, line in lines))
            self._stream.flush()
        except (OSError, ValueError):  # a reader that went away, or closed at exit
            return 0
        return len(lines)


class Syslog:
    """The local syslog daemon, facility mail."""

    def __init__(self, path: Path = Path("/dev/log")) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, lines: Sequence[Line], /) -> int:
        for taken, (severity, line) in enumerate(lines):
            datagram = f"<{_FACILITY_MAIL | severity}>turfmilter[{os.getpid()}]: {line}".encode()
            # A syslogd that was restarted listens on a new socket: what was connected to the old one fails once.
            if not (self._sent(datagram) or self._sent(datagram)):
                return taken
        return len(lines)

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
