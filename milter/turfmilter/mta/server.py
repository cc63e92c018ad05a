"""libmilter itself: the only place that starts it."""

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

_NAME = "turfmilter"
_TASKS = Path("/proc/self/task")
_START_SECONDS = 20.0  # on a machine that is very busy


def require_pymilter() -> None:
    """Raises ImportError with a sentence when pymilter's C extension is not there.

    Without it `import milter` can find an empty namespace package of a source tree instead.
    """
    if not hasattr(milter, "setconn"):
        raise ImportError("pymilter is not installed: apt install python3-milter, or pip install pymilter")


def doubts(python: tuple[int, int]) -> list[str]:
    """What is to be said of pymilter on this version of Python."""
    # Seen with valgrind: at a session's end it clears a bit in a thread state that has been freed.
    version = ".".join(map(str, python))
    if python >= (3, 14):
        return [f"Python {version}: pymilter is not known to work on it; 3.11 is the best tried"]
    if python >= (3, 12):
        return [f"Python {version}: pymilter touches freed memory on it; no crash was seen, but 3.11 is the best tried"]
    return []


def start(listening: int, service: Service, ended: Callable[[str], None]) -> None:
    """Serve connections on the socket with file descriptor `listening`, in a thread of its own.

    Returns when libmilter has got going, and raises TimeoutError when it has not.
    It takes HUP, TERM and INT for itself and its end does not drain: the process around it ignores
    those signals and leaves by os._exit.  `ended` is called with the reason should it return.
    A second start in one process never serves.
    """
    _register(service)
    # What fails in pymilter before our code runs (text that is no UTF-8) it prints, in the middle of other lines.
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
    # When the socket is right it starts a thread for signals, and then polls.
    deadline = time.monotonic() + _START_SECONDS
    while _threads() < running + 2:
        if time.monotonic() > deadline:
            raise TimeoutError("libmilter does not start")
        time.sleep(0.001)


def _register(service: Service) -> None:
    """Tell libmilter where events go, straight: pymilter's own Milter.runmilter costs two calls more for each."""

    def negotiate(context: Any, opts: list[int]) -> int:
        session = Callbacks(context, service)
        context.setpriv(session)
        return session.negotiate(opts)

    def close(context: Any) -> int:
        session = context.getpriv()
        context.setpriv(None)  # they hold each other
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
    """How many this process has, those that Python does not know included."""
    return len(list(_TASKS.iterdir()))


_OPEN_FILES = Path("/proc/self/fd")


class Door:
    """The listening socket with file descriptor `listening`, as this process has it; `open` until it is shut.

    libmilter keeps polling the descriptor, so what lies behind it is replaced by a socket that nobody knows.
    """

    def __init__(self, listening: int) -> None:
        self._listening = listening
        self._real = socket.socket(fileno=os.dup(listening))
        self._place = _place(self._real)
        # Made now: when it is needed there may be no descriptor left.
        self._nobody = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._nobody.setblocking(False)
        self._nobody.bind("")  # an abstract name of the kernel's choice
        self._nobody.listen(1)
        self.open = True

    def shut(self) -> None:
        """Let nobody in; who comes waits outside, or finds another worker."""
        os.dup2(self._nobody.fileno(), self._listening)
        self.open = False

    def reopen(self) -> None:
        """Let them in again."""
        os.dup2(self._real.fileno(), self._listening)
        self.open = True

    def close(self) -> None:
        """Let nobody in any more."""
        self.shut()
        self._real.close()  # who waits outside is not to wait for us

    def occupied(self) -> bool:
        """True while a connection is open that came in here, even one about which libmilter has told nothing yet."""
        return any(self._led_in(int(entry.name)) for entry in _OPEN_FILES.iterdir())

    def _led_in(self, descriptor: int) -> bool:
        try:
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                listens = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                return not listens and _place(connection) == self._place
        except OSError:  # it is no socket, or was closed while we looked
            return False


def _place(connection: socket.socket) -> tuple[int, object]:
    """What a listening socket and the connections that came in through it have in common."""
    name = connection.getsockname()
    return connection.family, name[1] if isinstance(name, tuple) else name
