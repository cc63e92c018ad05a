"""Where the lines of the log are sent: syslog or a stream."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Sequence
from io import UnsupportedOperation
from pathlib import Path
from typing import Protocol, TextIO

_FACILITY_MAIL = 2 << 3  # RFC 3164 §4.1.1: priority = facility * 8 + severity; mail is 2
SYSLOG = Path("/dev/log")
_PATIENCE = 0.5  # seconds to wait for a reader that does not read


Line = tuple[int, str]  # the severity of RFC 3164, and the text


class Sink(Protocol):
    """A destination of log lines.  It may block, so the daemon calls it only from the log's own thread."""

    def send(self, lines: Sequence[Line], /) -> int:
        """Send lines; return how many were accepted, counted from the first.  The others may be sent again."""

    @property
    def is_there(self) -> bool:
        """False if the destination does not exist, so that lines are not expected to be accepted."""


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
        except (OSError, ValueError):  # the reader has closed its end, or the stream was closed at exit
            return 0
        return len(lines)

    @property
    def is_there(self) -> bool:
        return True

    def _takes_some(self) -> bool:
        """True if a write would not block; False for a pipe whose reader is stuck."""
        try:
            descriptor = self._stream.fileno()
        except UnsupportedOperation:  # a stream in memory
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
                # After a restart syslogd listens on a new socket, so a connection to the old one fails once.
                sent = self._sent(datagram) or self._sent(datagram)
            except TimeoutError:  # syslogd runs but does not read: waiting again would not help
                sent = False
            if not sent:
                return taken
        return len(lines)

    @property
    def is_there(self) -> bool:
        return self._path.exists()

    def _sent(self, datagram: bytes) -> bool:
        """Send one datagram; False if no syslogd listens.  Raises TimeoutError if it does not read."""
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
    """A sink that is abandoned at the first line it does not accept, so that a run of thousands does not wait for each.

    `say` is called once with a warning, unless the destination does not exist at all.
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
                self._say("the log does not accept lines: actions are recorded in the ledger only")
        return taken

    @property
    def is_there(self) -> bool:
        return self._sink.is_there
