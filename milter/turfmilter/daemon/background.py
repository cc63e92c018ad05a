"""Going to the background as daemon(7) describes it: the caller waits until connections are taken."""

from __future__ import annotations

import os
from collections.abc import Callable

_READY = b"+"


def occupy_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error is closed: no socket of ours may get their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def detach(*, keep_stderr: bool) -> Callable[[], None]:
    """Return in a child without a terminal; the caller leaves with 0 once the returned function is called.

    Until then the child's messages still reach the caller's standard error; if it dies first, the caller leaves
    with 1.  `keep_stderr` is for a log that goes there.
    """
    waiting, telling = os.pipe()
    if os.fork():
        os.close(telling)
        # Not sys.exit: on its way out the caller would clean up after the child, and remove its socket.
        os._exit(0 if os.read(waiting, 1) == _READY else 1)
    os.close(waiting)
    os.setsid()
    os.chdir("/")

    def ready() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1) if keep_stderr else (0, 1, 2):
            os.dup2(null, descriptor)
        os.write(telling, _READY)
        os.close(telling)

    return ready
