"""What a worker's memory grows to: thousands of idle connections, and a million sessions."""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.contestants import ENGINES, called, turfmilter
from bench.load import load
from bench.report import Figure, Samples, at_most
from bench.settings import settings
from bench.turns import Effort
from rig.milterclient import MilterClient
from turfmilter.config.schema import ProtocolEngine

_WORKERS = 2
_IDLE = 4_000
_AT_ONCE = (
    128  # unanswered connections: the listen queue has room for 1,024, and a full one refuses (connect(2), EAGAIN)
)
_OPTIONS_FRAME = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)
_SOAKED, _PARTS = 1_000_000, 10  # the first part is to settle
_IDLE_TARGETS = {ProtocolEngine.LIBMILTER: 60.0, ProtocolEngine.LOOP: 40.0}
_SOAK_TARGETS = {ProtocolEngine.LIBMILTER: 2.0, ProtocolEngine.LOOP: 1.0}


def idle(place: Path, effort: Effort) -> Iterator[Figure]:
    """Connections that have negotiated and are silent, and sessions beside them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * _IDLE) if hard > 0 else 2 * _IDLE, hard))
    for engine in ENGINES:
        yield _idle(place / engine.value, engine, effort.of(_IDLE))


def soak(place: Path, effort: Effort) -> Iterator[Figure]:
    """A million sessions for each engine, one after the other: after the first tenth nothing may grow."""
    for engine in ENGINES:
        yield _soak(place / engine.value, engine, effort.of(_SOAKED // _PARTS))


def _idle(place: Path, engine: ProtocolEngine, connections: int) -> Figure:
    with ExitStack() as ending:
        text = settings(place, engine=engine, workers=_WORKERS)
        ours = ending.enter_context(turfmilter(place, text, called(engine, _WORKERS)))
        for begun in range(0, connections, _AT_ONCE):
            fresh = range(min(_AT_ONCE, connections - begun))
            clients = [ending.enter_context(MilterClient(ours.socket)) for _ in fresh]
            for client in clients:
                client.send(_OPTIONS_FRAME)
            for client in clients:
                client.read_frame()
        run = load(ours, "-n", "2000")
        each = sorted(ours.memory_of_each())
    return Figure(
        name=f"memory of the largest worker, {connections:,} idle connections",
        measured=Samples(ours.name, [each[-1]], " MB"),
        target=at_most(_IDLE_TARGETS[engine]),
        fault=f"{run.lost} of 2,000 sessions beside them failed" if run.lost else "",
        details=(
            f"all processes: {', '.join(f'{one:.1f}' for one in each)} MB; sessions beside them {run.rate:.0f}/s",
        ),
        limit="an object of Python for each session, and with libmilter a thread state",
    )


def _soak(place: Path, engine: ProtocolEngine, part: int) -> Figure:
    text = settings(place, engine=engine, match='"sender", "author"', workers=_WORKERS)
    with turfmilter(place, text, called(engine, _WORKERS)) as ours:
        lost, sizes = 0, []
        for _ in range(_PARTS):
            lost += load(ours, "-n", str(part)).lost
            sizes.append(ours.memory())
            os.truncate(ours.running.daemon.log_file, 0)
    return Figure(
        name=f"growth of all processes after the first {part:,} of {part * _PARTS:,} sessions",
        measured=Samples(ours.name, [sizes[-1] - sizes[0]], " MB"),
        target=at_most(_SOAK_TARGETS[engine]),
        fault=f"{lost} sessions lost" if lost else "",
        details=(f"MB after each tenth: {', '.join(f'{size:.1f}' for size in sizes)}",),
        limit=f"{sizes[0]:.1f} MB after the first tenth, {sizes[-1]:.1f} MB at the end",
    )
