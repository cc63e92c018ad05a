"""A program on a pseudo-terminal of its own, as in an ssh session: keys are typed, and screens are read."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rig import wait
from rig.program import ENVIRONMENT

CLEAR = "\x1b[H\x1b[2J"


class Terminal:
    """Runs `command`, which controls the terminal.  A context manager that kills what is left.

    `before` are the attributes of the terminal when the program started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self._ours, its = pty.openpty()
        self._encoding = encoding
        self._seen = b""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(its)
        self.process = subprocess.Popen(
            command,
            env={**ENVIRONMENT, "TERM": "xterm", "TZ": "Europe/Berlin", "PAGER": "cat", **(environment or {})},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            preexec_fn=_as_at_a_login,
        )
        os.close(its)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self.close()

    @property
    def text(self) -> str:
        """All that was printed so far."""
        while self._ours >= 0 and select.select([self._ours], [], [], 0)[0]:
            try:
                self._seen += os.read(self._ours, 65_536)
            except OSError:  # EIO: the program has ended
                break
        return self._seen.decode(self._encoding, "replace").replace("\r\n", "\n")

    @property
    def screen(self) -> str:
        """What was printed since the screen was cleared last."""
        return self.text.rpartition(CLEAR)[2]

    @property
    def attributes(self) -> list[Any]:
        """The attributes of the terminal now."""
        return termios.tcgetattr(self._ours)

    def shows(self, *texts: str, after: int = 0) -> str:
        """The screen, once it has all of `texts`, and was cleared more than `after` times."""

        def look() -> str:
            screen = self.screen
            drawn = self.text.count(CLEAR) > after or not after
            return screen if drawn and all(text in screen for text in texts) else ""

        return wait.until(look, lambda: f"{texts} after {after}; it shows:\n{self.screen}\n{self.process.poll()}")

    def type(self, keys: str) -> None:
        """Type `keys`, and wait for nothing."""
        os.write(self._ours, keys.encode())

    def press(self, keys: str, *texts: str) -> str:
        """Type `keys`, and return the next screen that has all of `texts`."""
        drawn = self.text.count(CLEAR)
        self.type(keys)
        return self.shows(*texts, after=drawn)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; the program in the foreground gets SIGWINCH."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self.process.send_signal(number)

    def close(self) -> None:
        """Close the terminal, as sshd does when the connection is lost."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def ends(self) -> int:
        """The exit status, once the program has ended; a full terminal must not keep it from that."""
        return wait.until(lambda: (self.text, self.process.poll())[1] is not None, "its end") and self.process.wait()


def printed(
    line: Sequence[str | Path], environment: Mapping[str, str], *, columns: int = 0, keys: str = ""
) -> tuple[bytes, int]:
    """What a program prints on a terminal, and its exit status; `keys` are typed before it starts.

    The terminal has 24 rows and so many `columns`; if 0, it does not know its size.
    """
    ours, its = pty.openpty()
    if columns:
        termios.tcsetwinsize(its, (24, columns))
    os.write(ours, keys.encode())
    with subprocess.Popen(line, env=environment, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        seen = until_closed(ours)
        return seen, process.wait(wait.AMPLE)


def until_closed(terminal: int) -> bytes:
    """All that is printed on a terminal until no program has it open; then `terminal`, our end of it, is closed."""
    seen = bytearray()
    try:
        while piece := os.read(terminal, 65_536):
            seen += piece
    except OSError:  # EIO: the last program has ended
        pass
    finally:
        os.close(terminal)
    return bytes(seen)


def _as_at_a_login() -> None:
    """The terminal controls the program, and ^C ends it, also if our caller, a job in the background, ignores it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
