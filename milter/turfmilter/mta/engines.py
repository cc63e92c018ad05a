"""Which protocol engine serves the MTA, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from turfmilter.config.schema import ProtocolEngine
from turfmilter.mta.engine import Engine
from turfmilter.mta.libmilter import Libmilter
from turfmilter.mta.loop.loop import Loop
from turfmilter.mta.server import ACCESSES_FREED_MEMORY
from turfmilter.mta.service import Service

# Starts an engine: the arguments are the file descriptor of the listening socket, what the connections share, and a
# function that is called with the reason if the engine stops.
Start = Callable[[int, Service, Callable[[str], None]], Engine]

_STARTS: dict[ProtocolEngine, Start] = {ProtocolEngine.LIBMILTER: Libmilter, ProtocolEngine.LOOP: Loop}


class Chosen(NamedTuple):
    """An engine, and the reason for it as the log gives it."""

    engine: ProtocolEngine
    why: str

    @property
    def start(self) -> Start:
        """Starts the engine."""
        return _STARTS[self.engine]

    def __str__(self) -> str:
        return f"{self.engine.value} ({self.why})"


def choose(wanted: ProtocolEngine, python: tuple[int, int] = sys.version_info[:2]) -> Chosen:
    """Return the engine for the setting protocol_engine = `wanted` on this version of Python."""
    if wanted is not ProtocolEngine.AUTO:
        return Chosen(wanted, "configured")
    version = ".".join(map(str, python))
    if python < ACCESSES_FREED_MEMORY:
        return Chosen(ProtocolEngine.LIBMILTER, f"auto: pymilter is sound on Python {version}")
    return Chosen(ProtocolEngine.LOOP, f"auto: pymilter accesses freed memory on Python {version}")
