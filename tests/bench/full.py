"""A quarantine with 100,000 messages: how quickly it is reviewed, and whether messages are held more slowly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from bench.commands import commands
from bench.contestants import Turfmilter, turfmilter
from bench.load import Run, load
from bench.report import Figure, Samples, at_least
from bench.settings import TURF, settings
from bench.turns import Effort, in_turns
from rig.filter import make_quarantine
from rig.quarantine import hold

_MANY, _FEW = 100_000, 1_000
_ENTRIES = 1_000_000
_TEXT = b"Received: from mail.test (mail.test [192.0.2.1])\r\n\tby mx.test; Mon, 2 Mar 2026 10:00:00 +0000\r\n" * 6
_BODY = b"It pays to read this offer to its end.\r\n" * 200  # 8 kB: much spam is no longer


def full(place: Path, effort: Effort) -> Iterator[Figure]:
    """turfctl with many messages held and many entries, and the filter against one with few messages."""
    many, few = place / "many", place / "few"
    held = {many: effort.of(_MANY), few: effort.of(_FEW)}
    for own, count in held.items():
        own.mkdir()
        _fill(own / "quarantine", count)
    another = partial(_hold, many / "quarantine", held[many])
    yield from commands(many, held[many], effort.of(_ENTRIES), lambda: another(datetime.now(UTC)))
    yield _holds(effort.rounds, held)


def _holds(rounds: int, held: dict[Path, int]) -> Figure:
    with ExitStack() as ending:
        filters = {count: ending.enter_context(turfmilter(own, settings(own))) for own, count in held.items()}
        runs = in_turns(rounds, {f"{count:,} held before": partial(_held, one) for count, one in filters.items()})
    many, few = (Samples(name, [run.discarded / run.seconds for run in some], "/s") for name, some in runs.items())
    return Figure(
        name="messages held/s",
        measured=many,
        reference=few,
        target=at_least(0.8),
        details=tuple(f"{name}: {median(run.cpu_each for run in some):.0f} µs of CPU" for name, some in runs.items()),
        limit="how the file system adds a name to a large directory",
    )


def _held(ours: Turfmilter) -> Run:
    """One run; what it held is removed again."""
    new = ours.running.quarantine / "new"
    before = set(new.iterdir())
    run = load(ours, "-t", "2", "-s", TURF)
    for path in set(new.iterdir()) - before:
        path.unlink()
    return run


def _fill(quarantine: Path, messages: int) -> None:
    """Synthetic messages of 500 senders, held in the last 30 days."""
    make_quarantine(quarantine)
    now = datetime.now(UTC)
    for number in range(messages):
        _hold(quarantine, number, now - timedelta(seconds=30 * 86_400 * number // messages))


def _hold(quarantine: Path, number: int, time: datetime) -> None:
    sender = f"offer{number}@s{number % 500}.turf.example"
    head = f"From: Offer <{sender}>\r\nTo: anna@example.org\r\nSubject: offer number {number}\r\n\r\n".encode()
    hold(quarantine, _TEXT + head + _BODY, sender=f"{sender} SIZE=9000", time=time)
