"""Messages held a second, against bare files on the same disk.

Nothing is removed between the runs: ext4 takes long to find room among what was removed a moment ago.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from bench.build import program
from bench.contestants import Contestant, turfmilter
from bench.load import load
from bench.report import Figure, at_least
from bench.settings import TURF, has_workers, settings
from bench.turns import RUNS, in_turns, ratio, spread
from rig.filter import Filter, make_quarantine

_SECONDS = "2"
_WORKERS = (1, 2)
_FRESH = count()  # one directory for each run


@dataclass(frozen=True)
class Kept:
    """What one run wrote: files a second, and the CPU microseconds that each cost."""

    rate: float
    cpu: float


def holds(place: Path) -> Iterator[Figure]:
    """16 connections whose every message is held, and 16 threads that write files of that size."""
    with ExitStack() as ending:
        workers = [number for number in _WORKERS if has_workers(number)]
        ours = {number: ending.enter_context(_ours(place / f"{number}", number)) for number in workers}
        load(ours[1][0], "-n", "1", "-s", TURF)
        size = next((ours[1][1].quarantine / "new").iterdir()).stat().st_size
        runs = in_turns(
            RUNS,
            {"": partial(_bare, place, size), **{str(number): partial(_held, *one) for number, one in ours.items()}},
        )
    kind = subprocess.run(["stat", "-f", "-c", "%T", place], capture_output=True, text=True, check=True).stdout.strip()
    for number in workers:
        yield _figure(number, runs[str(number)], runs[""], f"{size} bytes on {kind}")


def _ours(place: Path, workers: int) -> AbstractContextManager[tuple[Contestant, Filter]]:
    return turfmilter(place, settings(place, workers=workers))


def _figure(workers: int, ours: Sequence[Kept], bare: Sequence[Kept], what: str) -> Figure:
    rates, others = [run.rate for run in ours], [run.rate for run in bare]
    cpu = median(run.cpu for run in ours)
    return Figure(
        name=f"holds/s, 16 connections, {workers} worker{'s' if workers > 1 else ''}",
        measured=f"{median(rates):.0f}/s",
        reference=f"{median(others):.0f}/s",
        judged=ratio(rates, others),
        target=at_least(0.8),
        details=(
            f"{spread(rates)} against {spread(others)} of {what}",
            f"CPU a message {cpu:.0f} µs against {median(run.cpu for run in bare):.0f} µs",
        ),
        limit=f"a message costs {cpu:.0f} µs of CPU: a worker, which runs on one processor, cannot hold more than"
        f" {1e6 / cpu:.0f}/s",
        numbers={"rates": rates, "reference": others, "cpu_us": [run.cpu for run in ours]},
    )


def _held(ours: Contestant, running: Filter) -> Kept:
    before = _count(running)
    run = load(ours, "-t", _SECONDS, "-s", TURF)
    found = _count(running) - before
    if found < run.discarded:
        raise RuntimeError(f"{run.discarded} messages were taken, and {found} are in quarantine")
    return Kept(run.discarded / run.seconds, run.cpu_each)


def _count(running: Filter) -> int:
    return sum(1 for _ in (running.quarantine / "new").iterdir())


def _bare(place: Path, size: int) -> Kept:
    directory = make_quarantine(place / f"bare{next(_FRESH)}")
    command: list[str | Path] = [program("disk"), directory, "16", _SECONDS, str(size)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return Kept(said["files"] / said["seconds"], said["cpu"] / said["files"] * 1e6)
