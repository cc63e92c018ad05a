"""Starts libmilter in this process, and opens and closes its listening socket."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import milter

from turfmilter.mta.callbacks import Callbacks
from turfmilter.mta.service import Service

# From this version of Python on, valgrind reports that pymilter clears a bit in a thread state that was freed when an
# earlier session ended: docs/explanation/pymilter-thread-states.md.
ACCESSES_FREED_MEMORY = (3, 12)

_NAME = "turfmilter"
_TASKS = Path("/proc/self/task")
_START_SECONDS = 20.0  # long enough for a very busy machine


def require_pymilter() -> None:
    """Raises ImportError, with advice, if pymilter's C extension is missing.

    `import milter` alone does not show this: it can find an empty namespace package in a source tree.
    """
    if not hasattr(milter, "setconn"):
        raise ImportError("pymilter is not installed: apt install python3-milter, or pip install pymilter")


def doubts(python: tuple[int, int]) -> list[str]:
    """Warnings about pymilter on this version of Python."""
    version = ".".join(map(str, python))
    if python >= (3, 14):
        return [f"Python {version}: pymilter has not been tested with this version; 3.11 is the best tested"]
    if python >= ACCESSES_FREED_MEMORY:
        return [f"Python {version}: pymilter accesses freed memory; no crash was seen, but 3.11 is the best tested"]
    return []


def start(listening: int, service: Service, ended: Callable[[str], None]) -> None:
    """Serve connections on the socket with file descriptor `listening`, in a thread of its own.

    Returns when libmilter is running; raises TimeoutError if it does not start within 20 seconds.  `ended` is called
    in that thread, with the reason, if libmilter returns.

    libmilter handles HUP, TERM and INT itself and does not drain connections when it ends, so this process must
    ignore these signals and exit with os._exit.  It can be started only once in a process: a second start never
    serves.
    """
    _register(service)
    # pymilter prints exceptions that occur before our code runs (text that is not UTF-8) to stderr; log them instead.
    sys.excepthook = lambda kind, error, _trace: service.log.say("error", f"pymilter: {kind.__name__}: {error}")

    def run() -> None:
        try:
            milter.setconn(f"fd:{listening}")
            milter.opensocket(False)
            milter.main()
            ended("libmilter stopped")
        except milter.error as error:
            ended(f"libmilter: {error}")

    running = _threads()
    threading.Thread(target=run, name="libmilter", daemon=True).start()
    # libmilter does not report that it is ready.  Once the socket is accepted, it starts a second thread for signals
    # and then polls: two threads more mean that it serves.
    deadline = time.monotonic() + _START_SECONDS
    while _threads() < running + 2:
        if time.monotonic() > deadline:
            raise TimeoutError("libmilter does not start")
        time.sleep(0.001)


def _register(service: Service) -> None:
    """Register the callbacks directly with libmilter: Milter.runmilter of pymilter costs two more calls per event."""

    def negotiate(context: Any, opts: list[int]) -> int:
        session = Callbacks(context, service)
        context.setpriv(session)
        return session.negotiate(opts)

    def close(context: Any) -> int:
        session = context.getpriv()
        context.setpriv(None)  # break the cycle of references between context and session
        return int(session.close() if session else milter.CONTINUE)

    milter.set_connect_callback(lambda context, *event: context.getpriv().connect(*event))
    milter.set_helo_callback(lambda context, name: context.getpriv().hello(name))
    milter.set_envfrom_callback(lambda context, *event: context.getpriv().envfrom(*event))
    milter.set_envrcpt_callback(lambda context, *event: context.getpriv().envrcpt(*event))
    milter.set_header_callback(lambda context, name, value: context.getpriv().header(name, value))
    milter.set_eoh_callback(lambda context: context.getpriv().eoh())
    milter.set_body_callback(lambda context, chunk: context.getpriv().body(chunk))
    milter.set_eom_callback(lambda context: context.getpriv().eom())
    milter.set_abort_callback(lambda context: context.getpriv().abort())
    milter.set_close_callback(close)
    milter.register(_NAME, data=lambda context: context.getpriv().data(), negotiate=negotiate)


def _threads() -> int:
    """The number of threads of this process, including those that Python does not know."""
    return len(list(_TASKS.iterdir()))


_OPEN_FILES = Path("/proc/self/fd")


class Door:
    """Controls whether this process accepts connections on the descriptor `listening`; `open` tells whether it does.

    libmilter polls the descriptor as long as the process lives.  Closing it would make libmilter fail, so to stop
    accepting, the descriptor is replaced (dup2) by a socket that no client can know.
    """

    def __init__(self, listening: int) -> None:
        self._listening = listening
        self._real = socket.socket(fileno=os.dup(listening))
        self._place = _place(self._real)
        # Created in advance: when it is needed, there may be no free descriptor.
        self._nobody = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._nobody.setblocking(False)
        self._nobody.bind("")  # an abstract name chosen by the kernel (unix(7), autobind)
        self._nobody.listen(1)
        self.open = True

    def shut(self) -> None:
        """Stop accepting; new connections wait in the backlog or are accepted by another worker."""
        os.dup2(self._nobody.fileno(), self._listening)
        self.open = False

    def reopen(self) -> None:
        """Accept connections again after `shut`."""
        os.dup2(self._real.fileno(), self._listening)
        self.open = True

    def close(self) -> None:
        """Stop accepting permanently."""
        self.shut()
        self._real.close()  # clients in the backlog must not wait for this worker

    def occupied(self) -> bool:
        """True while an accepted connection is open, even if libmilter has not called negotiate for it yet."""
        return any(self._led_in(int(entry.name)) for entry in _OPEN_FILES.iterdir())

    def _led_in(self, descriptor: int) -> bool:
        try:
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                listens = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                return not listens and _place(connection) == self._place
        except OSError:  # not a socket, or closed meanwhile
            return False


def _place(connection: socket.socket) -> tuple[int, object]:
    """What a listening socket and its accepted connections have in common: the family, and the path or port."""
    name = connection.getsockname()
    return connection.family, name[1] if isinstance(name, tuple) else name
