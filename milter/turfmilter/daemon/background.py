"""Going to the background as daemon(7) describes it: the caller waits until connections are taken."""

from __future__ import annotations

import os

_READY = b"+"


class Caller:
    """Who started the program, in the foreground."""

    def ready(self) -> None:
        """Tell it that connections are taken."""

    def let_go(self) -> None:
        """Hold on to nothing of it."""


class WaitingCaller(Caller):
    """One that leaves with 0 when it is told so through `telling`, and with 1 when nobody can any more."""

    def __init__(self, telling: int, *, keep_stderr: bool) -> None:
        self._telling = telling
        self._kept = (0, 1) if keep_stderr else (0, 1, 2)

    def ready(self) -> None:
        self._silence()
        os.write(self._telling, _READY)
        os.close(self._telling)

    def let_go(self) -> None:
        self._silence()
        os.close(self._telling)

    def _silence(self) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in self._kept:
            os.dup2(null, descriptor)
        os.close(null)


def occupy_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error is closed: no socket of ours may get their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def detach(*, keep_stderr: bool) -> Caller:
    """Return in a child without a terminal.

    Until the caller is let go the child's messages still reach its standard error.  `keep_stderr` is for a log that
    goes there.
    """
    waiting, telling = os.pipe()
    if os.fork():
        os.close(telling)
        # Not sys.exit: on its way out the caller would clean up after the child, and remove its socket.
        os._exit(0 if os.read(waiting, 1) == _READY else 1)
    os.close(waiting)
    os.setsid()
    os.chdir("/")
    return WaitingCaller(telling, keep_stderr=keep_stderr)
