"""SMTP with `sendmail -bs`, which a program of the host starts."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rig import wait
from rig.smtp import SmtpReply, read_reply


class LocalSession:
    """One session with the child `command`, over a "pipe" in each direction or a "unix socket"."""

    def __init__(self, command: Sequence[str], over: str) -> None:
        if over == "pipe":
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self._child.stdin is not None and self._child.stdout is not None
            self._output, self._input = self._child.stdin, self._child.stdout
        else:
            ours, theirs = socket.socketpair(socket.AF_UNIX)
            with ours, theirs:
                self._child = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno())
                self._output, self._input = ours.makefile("wb"), ours.makefile("rb")
        self.banner = self.reply()

    def send(self, data: bytes) -> None:
        """Any bytes at all."""
        self._output.write(data)
        self._output.flush()

    def reply(self) -> SmtpReply:
        """The next reply."""
        return read_reply(self._input)

    def secure(self, _authority: Path, _own: Path | None = None) -> None:
        """There is nothing to be secured."""
        raise RuntimeError("no TLS with sendmail -bs")

    def close(self) -> None:
        """Disconnect, and wait for the child."""
        self._output.close()
        self._input.close()
        self._child.wait(wait.AMPLE)
