"""A worker with a given protocol engine that writes down what the callbacks are called with."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rig import wait
from rig.filter import make_quarantine
from rig.ownworker import OwnWorker, service
from turfmilter.compose import build_generation
from turfmilter.config.loader import load
from turfmilter.config.schema import ProtocolEngine
from turfmilter.mta import server
from turfmilter.mta.callbacks import Callbacks
from turfmilter.mta.engine import Context
from turfmilter.mta.loop import loop
from turfmilter.mta.service import Service
from turfmilter.telemetry.writer import LogWriter

# What pymilter says in place of the filter when it cannot show an argument, and what the loop does then.
_UNSHOWN = b"pymilter: untrapped exception in turfmilter"
_ERROR = b"temporary error in the mail filter, try again later"
# Frames with a text of that length are as long as their text says.
_LENGTHS = tuple((len(text) + 12).to_bytes(4, "big") for text in (_UNSHOWN, _ERROR))


class Watched:
    """A worker below `place` with the TOML text `settings`; "{quarantine}" in it is its Maildir."""

    def __init__(self, place: Path, settings: str, engine: ProtocolEngine) -> None:
        place.mkdir()
        self.engine = engine
        self._calls = place / "calls"
        config = place / "turfmilter.toml"
        quarantine = make_quarantine(place / "quarantine")
        config.write_text(f'state = ""\nstatus = ""\n{settings}'.replace("{quarantine}", str(quarantine)))
        self._generation = build_generation(load(config))
        self._worker = OwnWorker(place, self._service, engine=engine)
        self._ending = ExitStack()
        self._seen = 0

    def __enter__(self) -> Self:
        self._ending.enter_context(self._worker)
        wait.until(self._worker.socket.exists, "its socket")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def connect(self) -> socket.socket:
        """A connection on which nothing has been said."""
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(wait.AMPLE)
        link.connect(str(self._worker.socket))
        return link

    def calls(self) -> list[Any]:
        """What was called since the last time: the number of the connection, the method and its arguments."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        new, self._seen = lines[self._seen :], len(lines)
        return [json.loads(line) for line in new]

    def log(self) -> str:
        """What it has said."""
        return self._worker.log()

    def _service(self, log: LogWriter) -> Service:
        """In the worker: have the calls written down."""
        file = self._calls.open("a", buffering=1)
        made = 0

        class Seen(Callbacks):
            def __init__(self, context: Context, service: Service) -> None:
                nonlocal made
                self._number = made
                made += 1
                super().__init__(context, service)

            def __getattribute__(self, name: str) -> Any:
                found = super().__getattribute__(name)
                if name not in _EVENTS:
                    return found

                def seen(*event: Any) -> Any:
                    file.write(json.dumps([self._number, name, repr(event)]) + "\n")
                    return found(*event)

                return seen

        for engine in (server, loop):
            vars(engine)["Callbacks"] = Seen
        return service(log, lambda: self._generation)


_EVENTS = frozenset(
    vars(Callbacks).keys()
    & {
        *(
            "negotiate",
            "connect",
            "hello",
            "envfrom",
            "envrcpt",
            "data",
            "header",
            "eoh",
            "body",
            "eom",
            "abort",
            "close",
        ),
    }
)


def said(links: Sequence[socket.socket]) -> list[bytes]:
    """All that the filter says on connections on which nothing more will be sent, up to its own end of each."""
    return [_to_the_end(link) for link in links]


def _to_the_end(link: socket.socket) -> bytes:
    found = b""
    # A filter that closes with bytes unread resets the connection.
    with suppress(ConnectionError):
        link.shutdown(socket.SHUT_WR)
    with suppress(ConnectionError):
        while data := link.recv(65_536):
            found += data
    link.close()
    return found.replace(_LENGTHS[0] + b"y451 4.3.0 " + _UNSHOWN, _LENGTHS[1] + b"y451 4.3.0 " + _ERROR)
