"""What must hold however long and however much: restarts, idle connections, a million sessions."""

from __future__ import annotations

import os
import resource
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.contestants import Contestant, turfmilter
from bench.load import Load, Run, load
from bench.report import Figure, at_most
from bench.settings import has_workers, settings
from bench.turns import in_turns, spread
from rig.filter import Filter
from rig.milterclient import MilterClient

_RESTARTED = 60_000  # 12,000 are over before the third reload
_IDLE = 4_000
_OPTIONS_FRAME = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)


def _workers() -> int:
    return 2 if has_workers(2) else 1


def restarts(place: Path) -> Iterator[Figure]:
    """Sessions while workers are replaced for their age and the tables are read again three times."""
    workers = _workers()
    each = _RESTARTED // workers // 4  # so that each is replaced three times
    with turfmilter(place, settings(place, workers=workers, worker_sessions=each)) as (ours, running):
        seen = set(ours.process.children())
        with Load(ours, "-n", str(_RESTARTED)) as loading:
            for number in range(3):
                _pause(loading, 1.5)
                _change(place, number)
                running.daemon.process.send(signal.SIGHUP)
                seen |= set(ours.process.children())
            while loading.running:
                _pause(loading, 0.1)
                seen |= set(ours.process.children())
            run = loading.result()
    yield Figure(
        name=f"{_RESTARTED:,} sessions, 3 restarts, 3 reloads",
        measured=f"{run.lost} failed",
        reference="",
        judged=run.lost if len(seen) >= 3 * workers else float("inf"),
        target=at_most(0),
        details=(f"{run.rate:.0f}/s, the longest session {run.worst_ms:.0f} ms; {len(seen)} workers were seen",),
        limit="nothing is measured when the workers are not replaced" if not run.lost else "",
    )


def reload(place: Path) -> Iterator[Figure]:
    """How much longer than without one a session waits during a reload of 1,000,000 entries."""
    with turfmilter(place, settings(place, workers=_workers(), turf=1_000_000)) as (ours, running):
        runs = in_turns(3, {"quiet": partial(_worst, ours, running, 0), "reload": partial(_worst, ours, running, 1)})
    extra = [one - other for one, other in zip(runs["reload"], runs["quiet"], strict=True)]
    yield Figure(
        name="longest session during a reload of 1,000,000",
        measured=f"{sorted(runs['reload'])[1]:.0f} ms",
        reference=f"{sorted(runs['quiet'])[1]:.0f} ms",
        judged=sorted(extra)[1],
        target=at_most(100.0, " ms"),
        details=(f"{spread(runs['reload'])} ms against {spread(runs['quiet'])} ms",),
        limit="the new generation is built while sessions are served",
    )


def idle(place: Path) -> Iterator[Figure]:
    """Connections that say nothing, and sessions beside them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * _IDLE) if hard > 0 else 2 * _IDLE, hard))
    with ExitStack() as ending:
        ours, _ = ending.enter_context(turfmilter(place, settings(place, workers=_workers())))
        for _ in range(_IDLE):
            client = ending.enter_context(MilterClient(ours.socket))
            client.send(_OPTIONS_FRAME)
        run = load(ours, "-n", "2000")
        each = max(ours.memory_of_each())
    yield Figure(
        name=f"memory of a worker, {_IDLE:,} idle connections",
        measured=f"{each:.1f} MB",
        reference="",
        judged=each if not run.lost else float("inf"),
        target=at_most(60.0, " MB"),
        details=(f"2,000 sessions beside them: {run.lost} failed, {run.rate:.0f}/s",),
        limit="pymilter keeps a thread state and our session for each connection",
    )


def soak(place: Path) -> Iterator[Figure]:
    """A million sessions: 100,000 to settle, then nothing may grow."""
    with turfmilter(place, settings(place, match='"sender", "author"', workers=_workers())) as (ours, running):
        failed = load(ours, "-n", "100000").lost
        settled = ours.memory()
        for _ in range(9):
            failed += load(ours, "-n", "100000").lost
            os.truncate(running.daemon.log_file, 0)
        grown = ours.memory() - settled
    yield Figure(
        name="growth over 900,000 sessions",
        measured=f"{settled + grown:.1f} MB",
        reference=f"{settled:.1f} MB",
        judged=grown if not failed else float("inf"),
        target=at_most(2.0, " MB"),
        details=(f"{failed} of 1,000,000 failed",),
    )


def _pause(loading: Load, seconds: float) -> None:
    """Let the load go on; it may have ended by then."""
    end = time.monotonic() + seconds
    while loading.running and time.monotonic() < end:
        time.sleep(0.01)


def _change(place: Path, number: int) -> None:
    with (place / "turf.table").open("a") as table:
        table.write(f"@reload{number}.turf.test\n")


def _worst(ours: Contestant, running: Filter, reloads: int) -> float:
    """Milliseconds of the longest session of a run with or without a reload in it."""
    with Load(ours, "-c", "4", "-t", "12") as loading:
        _pause(loading, 1.0)
        if reloads:
            running.daemon.process.send(signal.SIGHUP)
        run: Run = loading.result()
    return run.worst_ms
