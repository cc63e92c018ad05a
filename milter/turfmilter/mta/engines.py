"""Which protocol engine serves, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from turfmilter.config.schema import ProtocolEngine
from turfmilter.mta.engine import Engine
from turfmilter.mta.libmilter import Libmilter
from turfmilter.mta.loop.loop import Loop
from turfmilter.mta.server import TOUCHES_FREED_MEMORY
from turfmilter.mta.service import Service

# Makes an engine of the listening socket's descriptor, what its connections share, and who is told why it stops.
Start = Callable[[int, Service, Callable[[str], None]], Engine]

_STARTS: dict[ProtocolEngine, Start] = {ProtocolEngine.LIBMILTER: Libmilter, ProtocolEngine.LOOP: Loop}


class Chosen(NamedTuple):
    """An engine, and the reason for it as the log gives it."""

    engine: ProtocolEngine
    why: str

    @property
    def start(self) -> Start:
        """Makes it."""
        return _STARTS[self.engine]

    def __str__(self) -> str:
        return f"{self.engine.value} ({self.why})"


def choose(wanted: ProtocolEngine, python: tuple[int, int] = sys.version_info[:2]) -> Chosen:
    """The engine for `protocol_engine` = `wanted` on this version of Python."""
    if wanted is not ProtocolEngine.AUTO:
        return Chosen(wanted, "configured")
    version = ".".join(map(str, python))
    if python < TOUCHES_FREED_MEMORY:
        return Chosen(ProtocolEngine.LIBMILTER, f"auto: pymilter is sound on Python {version}")
    return Chosen(ProtocolEngine.LOOP, f"auto: pymilter touches freed memory on Python {version}")
