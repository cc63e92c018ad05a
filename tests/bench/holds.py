"""Messages held a second, and their CPU time, against bare files on the same disk.

Nothing is removed between the runs: ext4 takes long to find room among what was removed a moment ago.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from bench.build import program
from bench.contestants import Turfmilter, called, with_each_engine
from bench.load import load
from bench.report import Figure, Samples, at_least, at_most
from bench.settings import TURF
from bench.turns import Effort, in_turns
from rig.filter import make_quarantine
from turfmilter.config.schema import ProtocolEngine

_SECONDS = "1"  # the files are many: to remove them takes longer than to write them
_BARE = "plain files"
_Ours = tuple[ProtocolEngine, int]  # with which engine, and how many workers
# CPU microseconds of a held message.
_TARGETS: dict[_Ours, float] = {(ProtocolEngine.LIBMILTER, 2): 600.0, (ProtocolEngine.LOOP, 2): 500.0}


@dataclass(frozen=True)
class Kept:
    """What one run wrote: files a second, and the CPU microseconds that each cost."""

    rate: float
    cpu: float


_Runs = Mapping[str, Sequence[Kept]]


def holds(place: Path, effort: Effort) -> Iterator[Figure]:
    """16 connections whose every message is held, and 16 threads that write files of that size."""
    with ExitStack() as ending:
        ours = {
            (engine, workers): one
            for workers in (1, 2)
            for engine, one in with_each_engine(ending, place, workers=workers).items()
        }
        size = _size_of_one(next(iter(ours.values())))
        work = {_BARE: partial(_bare, place, size, count())} | {one.name: partial(_held, one) for one in ours.values()}
        runs = in_turns(effort.rounds, work)
    kind = subprocess.run(["stat", "-f", "-c", "%T", place], capture_output=True, text=True, check=True).stdout.strip()
    for which in ours:
        yield _rate(which, runs, f"{size} bytes on {kind}")
    for which in ours:
        yield _cost(which, runs)


def _rate(which: _Ours, runs: _Runs, what: str) -> Figure:
    own = called(*which)
    bare, ours = (Samples(name, [run.rate for run in runs[name]], "/s") for name in (_BARE, own))
    cost = median(run.cpu for run in runs[own])
    return Figure(
        name="messages held/s, 16 connections",
        measured=ours,
        reference=bare,
        target=at_least(0.8),
        details=(what,),
        limit=f"a message costs {cost:.0f} µs of CPU: a worker, which runs on one processor, cannot hold more"
        f" than {1e6 / cost:,.0f}/s, and with the load it shares the machine's",
    )


def _cost(which: _Ours, runs: _Runs) -> Figure:
    own = called(*which)
    bare, ours = (Samples(name, [run.cpu for run in runs[name]], " µs") for name in (_BARE, own))
    return Figure(
        name="CPU of a held message",
        measured=ours,
        reference=bare,
        target=at_most(_TARGETS[which]) if which in _TARGETS else None,
        absolute=True,
        limit=f"a plain file costs {bare.median:.0f} µs on this disk, and a session comes on top",
    )


def _size_of_one(ours: Turfmilter) -> int:
    load(ours, "-n", "1", "-s", TURF)
    return next((ours.running.quarantine / "new").iterdir()).stat().st_size


def _held(ours: Turfmilter) -> Kept:
    before = _count(ours)
    run = load(ours, "-t", _SECONDS, "-s", TURF)
    found = _count(ours) - before
    if found < run.discarded:
        raise RuntimeError(f"{run.discarded} messages were taken, and {found} are in quarantine")
    return Kept(run.discarded / run.seconds, run.cpu_each)


def _count(ours: Turfmilter) -> int:
    return sum(1 for _ in (ours.running.quarantine / "new").iterdir())


def _bare(place: Path, size: int, fresh: Iterator[int]) -> Kept:
    """Into a new directory each time."""
    directory = make_quarantine(place / f"bare{next(fresh)}")
    command: list[str | Path] = [program("disk"), directory, "16", _SECONDS, str(size)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return Kept(said["files"] / said["seconds"], said["cpu"] / said["files"] * 1e6)
