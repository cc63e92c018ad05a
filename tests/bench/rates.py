"""Sessions a second at 16 connections, against the filter in C that does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bench.contestants import Contestant, empty, noop, turfmilter
from bench.load import Run, load
from bench.report import Figure, at_least
from bench.settings import has_workers, settings
from bench.turns import RUNS, in_turns, ratio, spread
from rig.filter import Filter

_SECONDS = "1"
_MATCH = {"envelope": '"sender"', "author": '"sender", "author"'}
_TARGETS = {"envelope": {1: 0.50, 2: 0.65}, "author": {1: 0.32, 2: 0.42}}


def envelope(place: Path) -> Iterator[Figure]:
    """Rules that look at the envelope only."""
    return _rates(place, "envelope")


def author(place: Path) -> Iterator[Figure]:
    """Rules that look at the author, too."""
    return _rates(place, "author")


def _rates(place: Path, kind: str) -> Iterator[Figure]:
    with ExitStack() as ending:
        reference = ending.enter_context(noop(place))
        bare = ending.enter_context(empty(place, kind))
        counts = [count for count in _TARGETS[kind] if has_workers(count)]
        ours = {count: ending.enter_context(_ours(place, kind, count)) for count in counts}
        contestants = {one.name: one for one in (reference, bare, *(one for one, _ in ours.values()))}
        runs = in_turns(RUNS, {name: partial(load, one, "-t", _SECONDS) for name, one in contestants.items()})
        for count, (one, _) in ours.items():
            yield _figure(kind, count, runs[one.name], runs[reference.name], runs[bare.name])


def _ours(place: Path, kind: str, count: int) -> AbstractContextManager[tuple[Contestant, Filter]]:
    own = place / f"{count}"
    return turfmilter(own, settings(own, match=_MATCH[kind], workers=count), f"{count} workers")


def _figure(kind: str, workers: int, ours: Sequence[Run], reference: Sequence[Run], bare: Sequence[Run]) -> Figure:
    rates, others, limits = _rates_of(ours), _rates_of(reference), _rates_of(bare)
    lost = sum(run.lost for run in ours)
    return Figure(
        name=f"sessions/s, {kind} rules, {workers} worker{'s' if workers > 1 else ''}",
        measured=f"{median(rates):.0f}/s",
        reference=f"{median(others):.0f}/s",
        judged=0.0 if lost else ratio(rates, others),
        target=at_least(_TARGETS[kind][workers]),
        details=(
            f"rates {spread(rates)} against {spread(others)}; {lost} sessions lost",
            f"CPU a session {_cpu(ours)} µs against {_cpu(reference)} µs",
            f"{ours[-1].crossing()}; the reference {reference[-1].crossing()}",
        ),
        limit=f"a Python filter that asks for the same and does nothing reaches {ratio(limits, others):.2f}"
        f" with one process, at {_cpu(bare)} µs of CPU a session",
        numbers={"rates": rates, "reference": others, "empty": limits, "cpu_us": [run.cpu_each for run in ours]},
    )


def _rates_of(runs: Sequence[Run]) -> list[float]:
    return [run.rate for run in runs]


def _cpu(runs: Sequence[Run]) -> str:
    return f"{median(run.cpu_each for run in runs):.0f}"
