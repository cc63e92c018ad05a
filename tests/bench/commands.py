"""turfctl from its start to its end, with a large quarantine and large tables."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import Figure, Samples, Target, at_most
from bench.settings import settings
from rig.filter import USER
from rig.program import ENVIRONMENT
from rig.quarantine import command

_TURNS = 5
_VERSION = "turfctl --version"


@dataclass(frozen=True)
class _Run:
    """Seconds from the start to the end, and the CPU seconds among them."""

    seconds: float
    cpu: float


def commands(own: Path, held: int, entries: int, another: Callable[[], None]) -> Iterator[Figure]:
    """Lists and searches in `own`/quarantine, which contains `held` messages.  `another` holds one more."""
    config = own / "review.toml"
    text = settings(own, turf=entries, networks=1).replace("{quarantine}", str(own / "quarantine"))
    config.write_text(f'user = "{USER}"\n{text}')
    what = f"{held:,} held, {entries:,} table entries"
    yield _elapsed(f"turfctl list, the first time, {what}", at_most(20.0), [_list(config)])
    newest = [_list(config) for _ in range(_TURNS)]
    yield _elapsed(f"turfctl list, {what}", at_most(0.5), newest)
    yield _busy(f"turfctl list, {what}", at_most(0.20), newest, "click and the standard library alone take 0.08 s")
    for by, options in (("sender", ("--sender", "@s7.turf.example")), ("subject", ("--subject", "number 77"))):
        found = [_list(config, *options) for _ in range(_TURNS)]
        yield _elapsed(f"turfctl list, search by {by}, {what}", at_most(0.5), found)
    later = []
    for _ in range(_TURNS):
        another()
        later.append(_list(config))
    yield _elapsed(f"turfctl list after one more message, {what}", at_most(0.5), later)
    yield _busy(_VERSION, at_most(0.10), [_timed(config, "--version") for _ in range(_TURNS)], "Python itself")


def _elapsed(name: str, target: Target, runs: Sequence[_Run]) -> Figure:
    cpu = Samples("turfctl", [run.cpu for run in runs], " s")
    return Figure(
        name=f"{name}: seconds",
        measured=Samples("turfctl", [run.seconds for run in runs], " s"),
        target=target,
        details=(f"CPU {cpu}",),
        limit=f"CPU seconds of turfctl itself: {cpu}",
    )


def _busy(name: str, target: Target, runs: Sequence[_Run], limit: str) -> Figure:
    cpu = Samples("turfctl", [run.cpu for run in runs], " s")
    return Figure(name=f"{name}: CPU seconds", measured=cpu, target=target, limit=limit)


def _list(config: Path, *options: str) -> _Run:
    return _timed(config, "list", *options)


def _timed(config: Path, *arguments: str) -> _Run:
    begin, before = time.monotonic(), children()
    done = subprocess.run(command(config, *arguments), env=ENVIRONMENT, check=True, capture_output=True)
    if not done.stdout:
        raise RuntimeError(f"turfctl {' '.join(arguments)} printed nothing")
    return _Run(time.monotonic() - begin, children() - before)


def children() -> float:
    """CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
