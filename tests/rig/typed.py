"""Shell commands as people type them at a terminal, with answers to their questions."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from rig import wait

_SIZE = struct.pack("4H", 24, 80, 0, 0)
_QUESTIONS = (b"[y/N]: ", b"[y/N] ")


def typed(commands: str, cwd: Path, host: str, answers: Iterable[str] = ()) -> tuple[int, list[str]]:
    """Run shell commands at a terminal of 24 lines and 80 columns, up to the first that fails.  Needs root.

    The commands see the host name `host`.  Their questions are answered with `answers`, further ones with "y".

    Returns the exit status and the lines on the screen.  Raises TimeoutError with them.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, _SIZE)
    environment = {**os.environ, "PAGER": "cat", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    environment.pop("COLUMNS", None)
    with subprocess.Popen(
        ["unshare", "--uts", "bash", "-ec", f"hostname {host}\n{commands}"],
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    ) as shell:
        os.close(theirs)
        try:
            screen = _watch(ours, iter(answers))
            shell.wait(wait.AMPLE)  # our end is closed only now: that is a hangup for whoever still runs
        except TimeoutError:
            shell.kill()
            raise
        finally:
            os.close(ours)
        return shell.wait(), [line.rstrip("\r") for line in screen.decode(errors="replace").split("\n")[:-1]]


def _watch(terminal: int, answers: Iterator[str]) -> bytes:
    screen, deadline = b"", time.monotonic() + wait.AMPLE
    while True:
        if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError(f"the commands do not end:\n{screen.decode(errors='replace')}")
        try:
            new = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            return screen
        if not new:
            return screen
        screen += new
        if screen.endswith(_QUESTIONS):
            os.write(terminal, next(answers, "y").encode() + b"\n")
