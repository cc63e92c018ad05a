"""A worker as the supervisor sees it: a process id, a socket, and the figures that came through it last."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import suppress


class Process:
    """One forked worker, which keeps to one `processor`.  `begun` is on the clock of time.monotonic.

    `figures` are {} until it serves, `failed` says why it never will; `draining` that it takes no new connection.
    `answered` is False from a probe until its answer; `unanswered` are the probes in a row that had none.
    """

    def __init__(self, pid: int, control: socket.socket, begun: float, processor: int) -> None:
        self.pid = pid
        self.control = control
        self.begun = begun
        self.processor = processor
        self.figures: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.failed = ""
        self.draining = False
        self.answered = True
        self.unanswered = 0
        self._input = b""
        control.setblocking(False)

    @property
    def ready(self) -> bool:
        """True when it serves, or did until it was told to drain."""
        return bool(self.figures)

    @property
    def serving(self) -> bool:
        """True while it takes new connections."""
        return self.ready and not self.draining

    @property
    def grown(self) -> float:
        """Bytes in memory that it did not have when it began to serve."""
        return self.figures.get("rss", 0) - self.first.get("rss", 0)

    def read(self) -> bool:
        """Take over what it has written; False when there will be nothing more."""
        try:
            while data := self.control.recv(65536):
                self._take(data)
        except BlockingIOError:
            return True
        except ConnectionError:
            pass
        return False

    def probe(self) -> None:
        """Ask for its figures."""
        self.unanswered = 0 if self.answered else self.unanswered + 1
        self.answered = False
        self._order("probe")

    def drain(self, seconds: float) -> None:
        """Have it finish its connections, for so long at most, and end.  The shortest time counts."""
        self.draining = True
        self._order(f"drain {seconds:g}")

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def _order(self, line: str) -> None:
        # One that does not read is seen by the probes that it does not answer.
        with suppress(OSError):
            self.control.send(line.encode() + b"\n")

    def _take(self, data: bytes) -> None:
        *lines, self._input = (self._input + data).split(b"\n")
        for said in map(json.loads, lines):
            self.failed = said.get("failed", "")
            if not self.failed:
                self.figures, self.answered = said, True
                self.first = self.first or said
