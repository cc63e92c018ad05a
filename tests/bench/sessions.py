"""CPU time of three kinds of sessions: with notes in the log, with a header of 1,000 fields, and journalled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.contestants import (
    NOOP,
    SAME_EVENTS,
    Contestant,
    empty,
    noop,
    same_events,
    with_a_journal,
    with_each_engine,
)
from bench.load import Run, load
from bench.report import Figure, Samples, at_most
from bench.settings import TURF
from bench.turns import Effort, in_turns

_SECONDS = "1"
_FIELDS = 1_000
_Runs = Mapping[str, Sequence[Run]]


def trial(place: Path, effort: Effort) -> Iterator[Figure]:
    """Each message is of a listed sender, and would be held: the log line of each has a note."""
    with ExitStack() as ending:
        ours = with_each_engine(ending, place, mode="trial")
        runs = _run(ending, place, effort, "trial", ours.values(), "-s", TURF)
        silent = {one.name for one in ours.values() if "trial=" not in one.running.daemon.log()}
    for figure in _costs("CPU a session, trial notes", NOOP, runs):
        yield replace(figure, fault="no note in the log") if figure.measured.who in silent else figure


def fields(place: Path, effort: Effort) -> Iterator[Figure]:
    """A header of 1,000 fields that includes the author, who is matched.  The C no-op does not ask for the header."""
    with ExitStack() as ending:
        ours = with_each_engine(ending, place, match='"sender", "author"')
        runs = _run(ending, place, effort, "author", ours.values(), "-f", str(_FIELDS))
    what = f"header of {_FIELDS:,} fields"
    yield from _costs(f"CPU a session, {what}", SAME_EVENTS, runs)
    for name, own in runs.items():
        yield Figure(f"of that in the kernel, {what}", Samples(name, [run.system_each for run in own], " µs"))


def journal(place: Path, effort: Effort) -> Iterator[Figure]:
    """The same filter twice, with a journal and without: what it costs to keep each transaction."""
    with ExitStack() as ending:
        without = with_each_engine(ending, place)
        kept = {one: ending.enter_context(with_a_journal(place / f"{one.value}-journal", one)) for one in without}
        work = {one.name: partial(load, one, "-t", _SECONDS) for one in (*without.values(), *kept.values())}
        runs = in_turns(effort.rounds, work)
        silent = {one.name for one in kept.values() if not one.running.transactions(0)}
    for engine, plain in without.items():
        name = kept[engine].name
        own, reference = (Samples(who, [run.cpu_each for run in runs[who]], " µs") for who in (name, plain.name))
        lost = sum(run.lost for who in (name, plain.name) for run in runs[who])
        fault = "nothing in the journal" if name in silent else f"{lost} sessions lost" if lost else ""
        yield Figure("CPU a session, journal", own, reference, at_most(1.1), fault=fault)


def _costs(what: str, reference: str, runs: _Runs) -> Iterator[Figure]:
    cost = {name: Samples(name, [run.cpu_each for run in own], " µs") for name, own in runs.items()}
    for name, own in cost.items():
        lost = sum(run.lost for run in runs[name])
        if name != reference:
            yield Figure(what, own, cost[reference], fault=f"{lost} sessions lost" if lost else "")


def _run(ending: ExitStack, place: Path, effort: Effort, kind: str, ours: Iterable[Contestant], *options: str) -> _Runs:
    others = (noop(place), same_events(place, kind), empty(place, kind))
    contestants = [*ours, *map(ending.enter_context, others)]
    work = {one.name: partial(load, one, "-t", _SECONDS, *options) for one in contestants}
    return in_turns(effort.rounds, work)
