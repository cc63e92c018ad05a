"""Detaches into the background as daemon(7) describes: the caller waits until connections are accepted."""

from __future__ import annotations

import os

_READY = b"+"


class Caller:
    """The process that started the program.  In the foreground nothing waits, so there is nothing to do."""

    def ready(self) -> None:
        """Report that connections are accepted."""

    def let_go(self) -> None:
        """Close everything inherited from the caller, in a child that must not keep it waiting."""


class WaitingCaller(Caller):
    """A caller that waits: exits 0 when told to through `telling`, and 1 when every writing end has closed."""

    def __init__(self, telling: int, *, keep_stderr: bool) -> None:
        self._telling = telling
        self._kept = (0, 1) if keep_stderr else (0, 1, 2)

    def ready(self) -> None:
        # First detach from its standard descriptors: a script that reads them until they close must not wait.
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
    """Open /dev/null on each of descriptors 0, 1 and 2 that is closed, so that no socket gets one of these numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def detach(*, keep_stderr: bool) -> Caller:
    """Fork, and return in the child, which has no terminal; the parent waits for `Caller.ready` and exits.

    Until then, the child's messages still reach the caller's standard error.  With `keep_stderr` standard error stays
    open, for a log that is written to it.
    """
    waiting, telling = os.pipe()
    if os.fork():
        # Close the parent's copy of the writing end, or read() would never see that the child has died.
        os.close(telling)
        # Not sys.exit: its cleanup in the parent would remove the socket of the child.
        os._exit(0 if os.read(waiting, 1) == _READY else 1)
    os.close(waiting)
    os.setsid()  # a new session, so that the terminal's signals do not reach the daemon
    os.chdir("/")  # keep no file system busy
    return WaitingCaller(telling, keep_stderr=keep_stderr)
