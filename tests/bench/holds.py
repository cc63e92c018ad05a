"""Messages held a second, against bare files on the same disk."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from bench.build import program
from bench.contestants import Contestant, turfmilter
from bench.load import Run, load
from bench.report import Figure, at_least
from bench.settings import TURF, settings
from bench.turns import RUNS, in_turns, ratio, spread
from rig.filter import Filter, make_quarantine

_SECONDS = "2"


def holds(place: Path) -> Iterator[Figure]:
    """16 connections whose every message is held, and 16 threads that write files of that size."""
    own = place / "own"
    with turfmilter(own, settings(own)) as (ours, running):
        _held(ours, running)
        held = next((running.quarantine / "new").iterdir(), None)
        size = held.stat().st_size if held else 1
        runs = in_turns(RUNS, {"disk": partial(_bare, place, size), "ours": partial(_rate, ours, running)})
    rates, bare = runs["ours"], runs["disk"]
    kind = subprocess.run(["stat", "-f", "-c", "%T", place], capture_output=True, text=True, check=True).stdout.strip()
    yield Figure(
        name="quarantine holds/s, 16 connections",
        measured=f"{median(rates):.0f}/s",
        reference=f"{median(bare):.0f}/s",
        judged=ratio(rates, bare),
        target=at_least(0.8),
        details=(f"{spread(rates)} against {spread(bare)} of {size} bytes on {kind}",),
        limit="the reference is the limit: write, fsync, link and fsync of the directory for each message",
        numbers={"rates": rates, "reference": bare},
    )


def _held(ours: Contestant, running: Filter) -> Run:
    """One run; what was held before it is removed."""
    for path in (running.quarantine / "new").iterdir():
        path.unlink()
    return load(ours, "-t", _SECONDS, "-s", TURF)


def _rate(ours: Contestant, running: Filter) -> float:
    run = _held(ours, running)
    found = sum(1 for _ in (running.quarantine / "new").iterdir())
    if found < run.discarded:
        raise RuntimeError(f"{run.discarded} messages were taken, and {found} are in quarantine")
    return run.discarded / run.seconds


def _bare(place: Path, size: int) -> float:
    directory = make_quarantine(place / "bare")
    command: list[str | Path] = [program("disk"), directory, "16", _SECONDS, str(size)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    shutil.rmtree(directory)
    return float(said["files"]) / float(said["seconds"])
