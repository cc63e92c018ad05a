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
from bench.settings import settings
from bench.turns import RUNS, in_turns, ratio, spread
from rig.filter import Filter
from turfmilter.config.schema import ProtocolEngine

_SECONDS = "1"
_MATCH = {"envelope": '"sender"', "author": '"sender", "author"'}
_Ours = tuple[ProtocolEngine, int]  # with which engine, and how many workers
_LIBMILTER, _LOOP = ProtocolEngine.LIBMILTER, ProtocolEngine.LOOP
_TARGETS: dict[str, dict[_Ours, float]] = {
    "envelope": {(_LIBMILTER, 1): 0.50, (_LIBMILTER, 2): 0.65, (_LOOP, 1): 0.70, (_LOOP, 2): 0.90},
    "author": {(_LIBMILTER, 1): 0.32, (_LIBMILTER, 2): 0.42, (_LOOP, 1): 0.50, (_LOOP, 2): 0.70},
}


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
        ours = {which: ending.enter_context(_ours(place, kind, which)) for which in _TARGETS[kind]}
        contestants = {one.name: one for one in (reference, bare, *(one for one, _ in ours.values()))}
        runs = in_turns(RUNS, {name: partial(load, one, "-t", _SECONDS) for name, one in contestants.items()})
        for which, (one, _) in ours.items():
            yield _figure(kind, which, runs[one.name], runs[reference.name], runs[bare.name])


def _ours(place: Path, kind: str, which: _Ours) -> AbstractContextManager[tuple[Contestant, Filter]]:
    engine, workers = which
    name = f"{engine.value} {workers}"
    own = place / name.replace(" ", "-")
    above = f'protocol_engine = "{engine.value}"\n'
    return turfmilter(own, above + settings(own, match=_MATCH[kind], workers=workers), name)


def _figure(kind: str, which: _Ours, ours: Sequence[Run], reference: Sequence[Run], bare: Sequence[Run]) -> Figure:
    engine, workers = which
    rates, others, limits = _rates_of(ours), _rates_of(reference), _rates_of(bare)
    lost = sum(run.lost for run in ours)
    return Figure(
        name=f"sessions/s, {kind}, {engine.value}, {workers} worker{'s' if workers > 1 else ''}",
        measured=f"{median(rates):.0f}/s",
        reference=f"{median(others):.0f}/s",
        judged=0.0 if lost else ratio(rates, others),
        target=at_least(_TARGETS[kind][which]),
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
