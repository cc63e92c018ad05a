"""libmilter itself: the only place that starts it."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable

import Milter
import milter

from turfmilter.mta.callbacks import Callbacks
from turfmilter.mta.service import Service

_NAME = "turfmilter"


def require_pymilter() -> None:
    """Raises ImportError with a sentence when pymilter's C extension is not there.

    Without it `import milter` can find an empty namespace package of a source tree instead.
    """
    if not hasattr(milter, "setconn"):
        raise ImportError("pymilter is not installed: apt install python3-milter, or pip install pymilter")


def start(listening: int, service: Service, ended: Callable[[str], None]) -> None:
    """Serve connections on the socket with file descriptor `listening`, in a thread of its own.

    libmilter takes HUP, TERM and INT for itself and its end does not drain: the process around it ignores
    those signals and leaves by os._exit.  `ended` is called with the reason should libmilter return.
    A second start in one process never serves.
    """
    Milter.factory = lambda: Callbacks(service)
    # What fails in pymilter before our code runs (text that is no UTF-8) it prints, in the middle of other lines.
    sys.excepthook = lambda kind, error, _trace: service.log.say("error", f"pymilter: {kind.__name__}: {error}")

    def run() -> None:
        try:
            Milter.runmilter(_NAME, f"fd:{listening}", rmsock=False)
            ended("libmilter stopped")
        except milter.error as error:
            ended(f"libmilter: {error}")

    threading.Thread(target=run, name="libmilter", daemon=True).start()


def stop_accepting(listening: int) -> None:
    """No new connection comes in through `listening`; those that are open go on.

    libmilter keeps polling the descriptor, so what lies behind it is replaced by a socket that nobody knows.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
        nobody.setblocking(False)
        nobody.bind("")  # an abstract name of the kernel's choice
        nobody.listen(1)
        os.dup2(nobody.fileno(), listening)
