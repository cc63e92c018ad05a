"""A service manager as far as a daemon sees it: the datagram socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import socket
from pathlib import Path

from rig import wait


class Manager:
    """Listens at `path` from open() to close(); every user may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: list[str] = []
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Listen, with nothing received yet."""
        self.close()
        self.messages.clear()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))
        self.path.chmod(0o666)

    def close(self) -> None:
        """Stop listening."""
        if self._socket:
            self._socket.close()
        self._socket = None
        self.path.unlink(missing_ok=True)

    def heard(self, line: str) -> bool:
        """True if it has received `line`."""
        self.listen()
        return any(line in message.splitlines() for message in self.messages)

    def wait_for(self, line: str, seconds: float = wait.AMPLE) -> None:
        """Return when it receives `line` after this call."""
        self.forget()
        wait.until(lambda: self.heard(line), lambda: f"{line!r} in {self.messages}", seconds)

    def forget(self) -> None:
        """Forget what it has received so far."""
        self.listen()
        self.messages.clear()

    def listen(self) -> None:
        """Receive what is waiting."""
        while self._socket:
            try:
                self.messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return
