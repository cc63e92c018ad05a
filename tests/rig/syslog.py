"""A private /dev/log: what a program logs to syslog, in a file."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

from rig.server import Server

_HEAD = re.compile(rb"^<\d+>\w{3} [ \d]\d \d\d:\d\d:\d\d ")


class Syslog(Server):
    """Writes every line that comes to the socket `path` to the file `output`, from start() to stop()."""

    def __init__(self, path: Path, output: Path) -> None:
        self.path = path
        self.output = output
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self.path.chmod(0o666)
        self._thread = threading.Thread(target=self._write, args=(self._socket,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what has come, and end."""
        if self._socket is None or self._thread is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(self.path))
        self._thread.join(10)
        self._socket.close()
        self.path.unlink()
        self._socket = None

    def text(self) -> str:
        """What has come so far, without time and priority."""
        return self.output.read_text(errors="surrogateescape") if self.output.exists() else ""

    def _write(self, source: socket.socket) -> None:
        with self.output.open("ab", buffering=0) as output:
            while line := source.recv(64 * 1024):
                output.write(_HEAD.sub(b"", line.rstrip(b"\n\0")) + b"\n")
