"""Which protocol engine serves, and why."""

from __future__ import annotations

from collections.abc import Callable

from turfmilter.mta.engine import Engine
from turfmilter.mta.service import Service

# Makes an engine of the listening socket's descriptor, what its connections share, and who is told why it stops.
Start = Callable[[int, Service, Callable[[str], None]], Engine]
