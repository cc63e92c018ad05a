"""libmilter itself: the only place that starts it."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

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

    threading.Thread(target=run, name="libmilter", daemon=True).start()


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


def stop_accepting(listening: int) -> None:
    """No new connection comes in through `listening`; those that are open go on.

    libmilter keeps polling the descriptor, so what lies behind it is replaced by a socket that nobody knows.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
        nobody.setblocking(False)
        nobody.bind("")  # an abstract name of the kernel's choice
        nobody.listen(1)
        os.dup2(nobody.fileno(), listening)
