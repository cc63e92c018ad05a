"""Where the lines of the log go: syslog or a stream."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Sequence
from io import UnsupportedOperation
from pathlib import Path
from typing import Protocol, TextIO

_FACILITY_MAIL = 2 << 3  # RFC 3164 §4.1.1
SYSLOG = Path("/dev/log")
_PATIENCE = 0.5  # seconds that one line may wait in a full socket


Line = tuple[int, str]  # the severity of RFC 3164, and the text


class Sink(Protocol):
    """Takes lines, and may block for them: only the log's own thread calls it."""

    def send(self, lines: Sequence[Line], /) -> int:
        """How many of the lines were taken, from the first on; the others may be offered again."""

    @property
    def is_there(self) -> bool:
        """False when nobody can be meant to take lines."""


class Stream:
    """A stream such as stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, lines: Sequence[Line], /) -> int:
        try:
            if not self._takes_some():
                return 0
            self._stream.write("".join(f"{line}\n" for _, line in lines))
            self._stream.flush()
        except (OSError, ValueError):  # a reader that went away, or closed at exit
            return 0
        return len(lines)

    @property
    def is_there(self) -> bool:
        return True

    def _takes_some(self) -> bool:
        """False when it is a pipe whose reader is stuck."""
        try:
            descriptor = self._stream.fileno()
        except UnsupportedOperation:  # it is in memory
            return True
        writable = select.poll()
        writable.register(descriptor, select.POLLOUT)
        return bool(writable.poll(_PATIENCE * 1000))


class Syslog:
    """The local syslog daemon, facility mail."""

    def __init__(self, path: Path = SYSLOG) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, lines: Sequence[Line], /) -> int:
        for taken, (severity, line) in enumerate(lines):
            datagram = f"<{_FACILITY_MAIL | severity}>turfmilter[{os.getpid()}]: {line}".encode()
            try:
                # A syslogd that was restarted listens on a new socket: what was connected to the old one fails once.
                sent = self._sent(datagram) or self._sent(datagram)
            except TimeoutError:  # it is there, and takes nothing: to wait once more would change nothing
                sent = False
            if not sent:
                return taken
        return len(lines)

    @property
    def is_there(self) -> bool:
        return self._path.exists()

    def _sent(self, datagram: bytes) -> bool:
        """False when nobody listens.  Raises TimeoutError when whoever does is stuck."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.settimeout(_PATIENCE)
                self._socket.connect(str(self._path))
            self._socket.send(datagram)
        except OSError as error:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
            if isinstance(error, TimeoutError):
                raise
            return False
        return True


class GivingUp:
    """A sink that is given up with the first line it does not take: a run of thousands is not to wait for each.

    `say` is told once, unless no syslog is there at all.
    """

    def __init__(self, sink: Sink, say: Callable[[str], object]) -> None:
        self._sink = sink
        self._say = say
        self._given_up = False

    def send(self, lines: Sequence[Line], /) -> int:
        if self._given_up:
            return 0
        taken = self._sink.send(lines)
        if taken < len(lines):
            self._given_up = True
            if self._sink.is_there:
                self._say("the log does not accept lines: what is done is recorded in the ledger only")
        return taken

    @property
    def is_there(self) -> bool:
        return self._sink.is_there
