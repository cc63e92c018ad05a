"""Sessions a second at 16 connections, against the filter in C that does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bench.contestants import EMPTY, NOOP, SAME_EVENTS, Contestant, called, empty, noop, same_events, with_each_engine
from bench.load import Run, load
from bench.report import Figure, Samples, at_least
from bench.turns import Effort, in_turns
from turfmilter.config.schema import ProtocolEngine

_SECONDS = "2"
_MATCH = {"envelope": '"sender"', "author": '"sender", "author"'}
_Ours = tuple[ProtocolEngine, int]  # with which engine, and how many workers
_LIBMILTER, _LOOP = ProtocolEngine.LIBMILTER, ProtocolEngine.LOOP
_TARGETS: dict[str, dict[_Ours, float]] = {
    "envelope": {(_LIBMILTER, 1): 0.50, (_LIBMILTER, 2): 0.65, (_LOOP, 1): 0.70, (_LOOP, 2): 0.90},
    "author": {(_LIBMILTER, 1): 0.32, (_LIBMILTER, 2): 0.50, (_LOOP, 1): 0.50, (_LOOP, 2): 0.70},
}
_Runs = Mapping[str, Sequence[Run]]


def envelope(place: Path, effort: Effort) -> Iterator[Figure]:
    """Rules that look at the envelope only."""
    return _rates(place, effort, "envelope")


def author(place: Path, effort: Effort) -> Iterator[Figure]:
    """Rules that look at the author, too."""
    return _rates(place, effort, "author")


def _rates(place: Path, effort: Effort, kind: str) -> Iterator[Figure]:
    with ExitStack() as ending:
        others = (noop(place), same_events(place, kind), empty(place, kind))
        contestants: dict[str, Contestant] = {one.name: one for one in map(ending.enter_context, others)}
        for workers in (1, 2):
            ours = with_each_engine(ending, place, match=_MATCH[kind], workers=workers)
            contestants |= {one.name: one for one in ours.values()}
        runs = in_turns(effort.rounds, {name: partial(load, one, "-t", _SECONDS) for name, one in contestants.items()})
    for which in _TARGETS[kind]:
        yield _ours(kind, which, runs)
    for name in (SAME_EVENTS, EMPTY):
        yield _beside(kind, name, runs)


def _ours(kind: str, which: _Ours, runs: _Runs) -> Figure:
    own = runs[called(*which)]
    lost = sum(run.lost for run in own)
    bare = _rate(EMPTY, runs).against(_rate(NOOP, runs))
    return Figure(
        name=f"sessions/s, {kind}",
        measured=_rate(called(*which), runs),
        reference=_rate(NOOP, runs),
        target=at_least(_TARGETS[kind][which]),
        fault=f"{lost} sessions lost" if lost else "",
        limit=f"the Python filter that does nothing reaches {bare} in one process with libmilter;"
        f" a session costs {_cpu(own)} µs of CPU, of the C filter {_cpu(runs[NOOP])} µs",
        details=(
            f"CPU a session {_cpu(own)} µs, the reference {_cpu(runs[NOOP])} µs",
            f"{own[-1].crossing()}; the reference {runs[NOOP][-1].crossing()}",
        ),
    )


def _beside(kind: str, name: str, runs: _Runs) -> Figure:
    """A filter that is no contestant, but shows what is possible."""
    return Figure(
        name=f"sessions/s, {kind}",
        measured=_rate(name, runs),
        reference=_rate(NOOP, runs),
        details=(f"CPU a session {_cpu(runs[name])} µs",),
    )


def _rate(name: str, runs: _Runs) -> Samples:
    return Samples(name, [run.rate for run in runs[name]], "/s")


def _cpu(runs: Sequence[Run]) -> str:
    return f"{median(run.cpu_each for run in runs):.0f}"
