"""A quarantine with 100,000 messages: how quickly it is reviewed, and whether it is held more slowly."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from bench.contestants import Contestant, turfmilter
from bench.load import Run, load
from bench.report import Figure, at_least, at_most
from bench.settings import TURF, settings
from bench.turns import RUNS, in_turns, ratio, spread
from rig.filter import USER, Filter, make_quarantine
from rig.program import ENVIRONMENT
from rig.quarantine import command, hold

_MANY, _FEW = 100_000, 1_000
_TURNS = 5
_TEXT = b"Received: from mail.test (mail.test [192.0.2.1])\r\n\tby mx.test; Mon, 2 Mar 2026 10:00:00 +0000\r\n" * 6
_BODY = b"It pays to read this offer to its end.\r\n" * 200  # 8 kB: much spam is no longer


def full(place: Path) -> Iterator[Figure]:
    """turfctl from its start to its end, and the filter against one with few messages."""
    many, few = place / "many", place / "few"
    for own, count in ((many, _MANY), (few, _FEW)):
        own.mkdir()
        _fill(own / "quarantine", count)
    yield from _review(many)
    yield _holds(many, few)


def _review(own: Path) -> Iterator[Figure]:
    config = own / "review.toml"
    config.write_text(f'user = "{USER}"\ndomains = ["example.org"]\n[turf]\ndirectory = "{own / "quarantine"}"\n')
    yield _listing("list, the first time", 20.0, [_listed(config)])
    for what, options in (
        ("list, the newest 50", ()),
        ("search by sender", ("--sender", "@s7.turf.example")),
        ("search by subject", ("--subject", "number 77")),
    ):
        yield _listing(what, 0.5, [_listed(config, *options) for _ in range(_TURNS)])
    yield _listing("list, one has come since", 0.5, [_listed_after_one(config) for _ in range(_TURNS)])


def _listing(what: str, most: float, runs: list[tuple[float, float]]) -> Figure:
    """The quickest run counts: what else the machine does is no part of it."""
    seconds, busy = min(runs)
    return Figure(
        name=f"{what}, {_MANY:,} held",
        measured=f"{seconds:.2f} s",
        reference="",
        judged=seconds,
        target=at_most(most, " s"),
        details=(f"{busy:.2f} CPU seconds; {spread([run[0] for run in runs])} s in {len(runs)} run(s)",),
        limit=f"turfctl itself: {busy:.2f} CPU seconds, of which its start takes {_start():.2f}",
        numbers={"seconds": [run[0] for run in runs], "cpu": [run[1] for run in runs]},
    )


def _holds(many: Path, few: Path) -> Figure:
    with ExitStack() as ending:
        filters = {own: ending.enter_context(turfmilter(own, settings(own))) for own in (many, few)}
        runs = in_turns(RUNS, {own.name: partial(_held, *filters[own]) for own in (many, few)})
    rates = {name: [run.discarded / run.seconds for run in some] for name, some in runs.items()}
    cpu = {name: median(run.cpu_each for run in some) for name, some in runs.items()}
    return Figure(
        name=f"holds/s, {_MANY:,} held before",
        measured=f"{median(rates['many']):.0f}/s",
        reference=f"{median(rates['few']):.0f}/s",
        judged=ratio(rates["many"], rates["few"]),
        target=at_least(0.8),
        details=(
            f"{spread(rates['many'])} against {spread(rates['few'])} with {_FEW:,} held before",
            f"{cpu['many']:.0f} CPU µs a session against {cpu['few']:.0f}",
        ),
        limit="how the file system adds a name to a large directory",
        numbers={"many": rates["many"], "few": rates["few"]},
    )


def _held(ours: Contestant, running: Filter) -> Run:
    """One run; what it held is removed again."""
    new = running.quarantine / "new"
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


def _listed(config: Path, *options: str) -> tuple[float, float]:
    """The seconds that one turfctl takes from its start to its end, and for how many of them it has a processor."""
    begin, before = time.monotonic(), _busy()
    done = subprocess.run(command(config, "list", *options), env=ENVIRONMENT, check=True, capture_output=True)
    if not done.stdout:
        raise RuntimeError("nothing was found")
    return time.monotonic() - begin, _busy() - before


def _listed_after_one(config: Path) -> tuple[float, float]:
    _hold(config.parent / "quarantine", _MANY, datetime.now(UTC))
    return _listed(config)


def _start() -> float:
    """CPU seconds of a turfctl that only says what it can do."""
    before = _busy()
    subprocess.run(command(Path("none"), "list", "--help"), env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return _busy() - before


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
