"""Restarts and reloads while sessions go on: none may fail, and none may wait long."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.contestants import ENGINES, Turfmilter, called, turfmilter
from bench.load import Load, Run
from bench.report import Figure, Samples, at_most
from bench.settings import settings
from bench.turns import Effort, in_turns
from turfmilter.config.schema import ProtocolEngine

_WORKERS = 2
_RESTARTED = 60_000  # 12,000 are over before the third reload
_ENTRIES = 1_000_000
_PAIRS, _SECONDS = 3, 8  # of a run, in which there is room for one reload


def restarts(place: Path, effort: Effort) -> Iterator[Figure]:
    """Sessions while workers are replaced for their age and the tables are read again three times."""
    for engine in ENGINES:
        yield _restarts(place / engine.value, engine, effort.of(_RESTARTED))


def reload(place: Path, effort: Effort) -> Iterator[Figure]:
    """How much longer than without one a session waits during a reload of 1,000,000 entries."""
    for engine in ENGINES:
        yield _reload(place / engine.value, engine, effort)


def _restarts(place: Path, engine: ProtocolEngine, sessions: int) -> Figure:
    each = max(sessions // _WORKERS // 4, 1)  # so that each is replaced three times
    text = settings(place, engine=engine, workers=_WORKERS, worker_sessions=each)
    with turfmilter(place, text, called(engine, _WORKERS)) as ours:
        seen = set(ours.process.children())
        with Load(ours, "-n", str(sessions)) as loading:
            for number in range(3):
                _pause(loading, 1.5)
                _change(place, number)
                ours.process.send(signal.SIGHUP)
                seen |= set(ours.process.children())
            while loading.running:
                _pause(loading, 0.1)
                seen |= set(ours.process.children())
            run = loading.result()
    return Figure(
        name=f"failed sessions of {sessions:,}, during 3 restarts and 3 reloads",
        measured=Samples(ours.name, [run.lost]),
        target=at_most(0),
        fault="" if len(seen) >= 3 * _WORKERS else "the workers were not replaced",
        details=(f"{run.rate:.0f}/s, the longest session {run.worst_ms:.0f} ms; {len(seen)} workers were seen",),
    )


def _reload(place: Path, engine: ProtocolEngine, effort: Effort) -> Figure:
    text = settings(place, engine=engine, workers=_WORKERS, turf=effort.of(_ENTRIES))
    with turfmilter(place, text, called(engine, _WORKERS)) as ours:
        seconds = str(effort.of(_SECONDS))
        work = {what: partial(_worst, ours, seconds, reloads=what == "reload") for what in ("quiet", "reload")}
        runs = in_turns(min(effort.rounds, _PAIRS), work)
    extra = [one - other for one, other in zip(runs["reload"], runs["quiet"], strict=True)]
    return Figure(
        name=f"longest session, reload of {effort.of(_ENTRIES):,} entries: ms more than without",
        measured=Samples(ours.name, extra, " ms"),
        target=at_most(100.0),
        details=tuple(f"{what}: {Samples('', values, ' ms')}" for what, values in runs.items()),
        limit="the new generation is built while sessions are served",
    )


def _pause(loading: Load, seconds: float) -> None:
    """Let the load go on; it may have ended by then."""
    end = time.monotonic() + seconds
    while loading.running and time.monotonic() < end:
        time.sleep(0.01)


def _change(place: Path, number: int) -> None:
    with (place / "turf.table").open("a") as table:
        table.write(f"@reload{number}.turf.test\n")


def _worst(ours: Turfmilter, seconds: str, *, reloads: bool) -> float:
    """Milliseconds of the longest session of a run with or without a reload in it."""
    with Load(ours, "-c", "4", "-t", seconds) as loading:
        _pause(loading, 1.0)
        if reloads:
            ours.process.send(signal.SIGHUP)
        run: Run = loading.result()
    return run.worst_ms
