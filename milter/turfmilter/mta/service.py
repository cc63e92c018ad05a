"""What the connections of one process share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from turfmilter.core.generation import Generation
from turfmilter.core.ports import Clock, Log, Names
from turfmilter.core.session import Connection
from turfmilter.mta.remarks import Remarks
from turfmilter.mta.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Service:
    """What every connection works with.

    `generation` gives the one in force when a connection begins; `watch` is shown every client; `figures` counts
    what this floor knows nothing of.
    """

    generation: Callable[[], Generation]
    names: Names
    log: Log
    clock: Clock
    executor: Executor
    sessions: Sessions
    watch: Callable[[Connection], None]
    remarks: Remarks
    figures: Callable[[], Mapping[str, int]] = dict
