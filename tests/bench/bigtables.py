"""Big tables: look-ups, loading, and what an entry costs in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from typing import TypeVar

from bench.child import alone
from bench.contestants import turfmilter
from bench.load import load
from bench.report import Figure, at_least, at_most
from bench.settings import has_workers, settings, turf_lines, with_notes
from bench.turns import RUNS, in_turns, ratio, spread
from turfmilter.config.loader import ConfigError
from turfmilter.config.loader import load as load_config
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.session import Connection

T = TypeVar("T")

_HUGE, _MANY, _FEW = 10_000_000, 1_000_000, 1_000
_LOOKUPS = 20_000
_PATIENCE = 100.0  # seconds for the runs of one figure; three are made in any case


def lookups(place: Path) -> Iterator[Figure]:
    """A look-up in a big table against one in a small table, each in a process of its own."""
    bare = {count: median(alone(_time_bare, count)) for count in (_FEW, _MANY)}
    times = {count: alone(_time_lookups, _configuration(place, count, count)) for count in (_FEW, _MANY)}
    for what in times[_MANY]:
        many, few = times[_MANY][what], times[_FEW][what]
        yield Figure(
            name=f"look-up in {_MANY:,} entries, {what}",
            measured=f"{median(many):.2f} µs",
            reference=f"{median(few):.2f} µs",
            judged=median(many) / median(few),
            target=at_most(2.0),
            details=(f"{spread(many)} µs against {spread(few)} µs in {_FEW:,} entries",),
            limit=f"a bare dict of strings takes {bare[_MANY]:.2f} µs with {_MANY:,} keys and {bare[_FEW]:.2f} µs"
            f" with {_FEW:,}: what is not in the processor's cache",
            numbers={"many": many, "few": few},
        )
    miss = times[_MANY]["domain miss"]
    yield Figure(
        name=f"domain miss in {_MANY:,} entries",
        measured=f"{median(miss):.2f} µs",
        reference="",
        judged=median(miss),
        target=at_most(3.0, " µs"),
        limit=f"one look-up takes a bare dict of strings {bare[_MANY]:.2f} µs; one is needed for each label",
    )


def memory(place: Path) -> Iterator[Figure]:
    """The whole program with its tables, under load."""
    workers = 2 if has_workers(2) else 1
    yield Figure(
        name=f"memory, 10,000 + 10,000 entries, {workers} worker(s)",
        measured=f"{(some := _megabytes(place / 'some', 10_000, 10_000, workers)):.1f} MB",
        reference="",
        judged=some,
        target=at_most(60.0, " MB"),
        limit="Python with pymilter, dnspython and click loaded, of which each process has a share",
    )
    few, many = (_megabytes(place / str(count), count, 0, workers) for count in (0, _MANY))
    yield Figure(
        name=f"memory an entry, {_MANY:,} turf entries",
        measured=f"{many:.0f} MB",
        reference=f"{few:.1f} MB",
        judged=(many - few) * 1e6 / _MANY,
        target=at_most(200.0, " bytes"),
        limit="how tables are held in memory",
    )


def loading(place: Path) -> Iterator[Figure]:
    """Reading a table with all checks, against a bare loop over its lines; and one with notes, against one without."""
    plain, noted = _configuration(place, _MANY, 0), _configuration(place / "notes", _MANY, 0)
    _write(noted, with_notes(turf_lines(_MANY)))
    runs = _runs_within(_PATIENCE, lambda: (*alone(_time_loading, plain), alone(_time_loading, noted)[1]))
    bare, checked, notes = ([run[column] for run in runs] for column in range(3))
    yield Figure(
        name=f"load {_MANY:,} turf entries",
        measured=f"{median(checked):.2f} s",
        reference=f"{median(bare):.2f} s",
        judged=ratio(checked, bare),
        target=at_most(4.0),
        details=(f"{spread(checked)} s against {spread(bare)} s, {len(runs)} runs",),
        limit="each entry is parsed, folded and compared with the others by itself",
        numbers={"checked": checked, "bare": bare},
    )
    yield Figure(
        name=f"load {_MANY:,} entries with notes",
        measured=f"{median(notes):.2f} s",
        reference=f"{median(checked):.2f} s",
        judged=ratio(notes, checked),
        target=at_most(1.7),
        details=(f"{spread(notes)} s against {spread(checked)} s without notes, {len(runs)} runs",),
        limit="a line has three times as many characters",
        numbers={"notes": notes, "checked": checked},
    )


def huge(place: Path) -> Iterator[Figure]:
    """A table of 10,000,000 entries: loading, memory, look-ups, and one error in it."""
    config = _configuration(place, _HUGE, 0)
    bare, seconds, size = alone(_time_loading, config)[0], *alone(_weigh, config)
    yield Figure(
        name=f"load {_HUGE:,} turf entries",
        measured=f"{seconds:.1f} s",
        reference=f"{bare:.1f} s",
        judged=seconds,
        target=at_most(40.0, " s"),
        details=(f"{seconds / bare:.2f} times the CPU seconds of the bare loop",),
        limit="each entry is parsed, folded and compared with the others by itself",
    )
    yield Figure(
        name=f"resident memory an entry, {_HUGE:,} entries",
        measured=f"{size * _HUGE / 1e6:.0f} MB",
        reference="",
        judged=size,
        target=at_most(65.0, " bytes"),
        limit="the text itself, and 24 to 36 bytes of arrays",
    )
    times = {count: alone(_time_lookups, _configuration(place, count, 1)) for count in (_FEW, _HUGE)}
    for what in ("domain hit", "domain miss"):
        many, few = times[_HUGE][what], times[_FEW][what]
        yield Figure(
            name=f"look-up in {_HUGE:,} entries, {what}",
            measured=f"{median(many):.2f} µs",
            reference=f"{median(few):.2f} µs",
            judged=median(many) / median(few),
            target=at_most(2.0),
            details=(f"{spread(many)} µs against {spread(few)} µs in {_FEW:,} entries",),
            limit="what is not in the processor's cache",
        )
    wrong = turf_lines(_HUGE)
    wrong[-2] = "@no..domain"
    _write(config, wrong)
    named = alone(_problems, config)
    yield Figure(
        name=f"the one invalid line of {_HUGE:,} is named",
        measured=f"{len(named)} problem(s)",
        reference="",
        judged=float(len(named) == 1 and f"turf.table:{_HUGE - 1}:" in named[0]),
        target=at_least(1.0),
        details=tuple(named[:1]),
    )


def _configuration(place: Path, turf: int, networks: int) -> Path:
    place.mkdir(exist_ok=True)
    own = place / f"{turf}-{networks}"
    text = settings(own, turf=turf, networks=networks).replace("{quarantine}", str(own))
    (own / "turfmilter.toml").write_text(text)
    return own / "turfmilter.toml"


def _write(config: Path, lines: Sequence[str]) -> None:
    """Replace the turf table of this configuration."""
    (config.parent / "turf.table").write_text("".join(f"{line}\n" for line in lines))


def _problems(config: Path) -> list[str]:
    try:
        load_config(config)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def _weigh(config: Path) -> tuple[float, float]:
    """CPU seconds of loading the configuration, and the bytes of resident memory that it then takes for each entry."""
    before, begin = _resident(), time.process_time()
    loaded = load_config(config)
    seconds = time.process_time() - begin
    return seconds, (_resident() - before) / len(loaded.turf.tables)


def _resident() -> float:
    """The bytes of this process that are in memory."""
    status = Path("/proc/self/status").read_text()
    return next(float(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def _megabytes(place: Path, turf: int, networks: int, workers: int) -> float:
    with ExitStack() as ending:
        text = settings(place, turf=turf, networks=networks, workers=workers)
        running, _ = ending.enter_context(turfmilter(place, text))
        load(running, "-n", "5000")
        return running.memory()


def _time_lookups(config: Path) -> dict[str, list[float]]:
    """Microseconds of one look-up, run by run, for each kind."""
    loaded = load_config(config)
    today = datetime.now(UTC).date()
    senders, clients = loaded.turf.tables, loaded.connect.clients
    count = len(senders)
    step = range(0, count * 7919, max(count * 7919 // _LOOKUPS, 1))
    hits = [Mailbox("someone", f"host{number % count // 4 * 4}.turf.test") for number in step]
    misses = [Mailbox(f"user{number}", f"host{number}.out.example") for number in step]
    peers = [Connection(client=ip_address(f"{10 + number % 200}.{number % 251}.{number % 241}.9")) for number in step]
    work: dict[str, tuple[Callable[..., object], Sequence[object]]] = {
        "domain hit": (senders.match, hits),
        "domain miss": (senders.match, misses),
        "client address": (clients.find, peers),
    }
    timed = {what: partial(_each, call, items, today) for what, (call, items) in work.items()}
    return in_turns(RUNS, timed)


def _time_bare(count: int) -> list[float]:
    """The same for a dict of `count` strings."""
    names = {f"host{number}.turf.test": number for number in range(count)}
    asked = [f"host{number * 7919 % count}.turf.test" for number in range(_LOOKUPS)]
    return in_turns(RUNS, {"bare": partial(_each, names.get, asked, None)})["bare"]


def _each(call: Callable[..., object], items: Sequence[object], today: object) -> float:
    begin = time.perf_counter()
    for item in items:
        call(item, today)
    return (time.perf_counter() - begin) / len(items) * 1e6


def _time_loading(config: Path) -> tuple[float, float]:
    """CPU seconds of the bare loop and of the whole configuration."""
    begin = time.process_time()
    entries = {}
    with (config.parent / "turf.table").open() as lines:
        for line in lines:
            entries[line.strip().lower()] = line
    bare = time.process_time() - begin
    del entries
    begin = time.process_time()
    load_config(config)
    return bare, time.process_time() - begin


def _runs_within(seconds: float, run: Callable[[], T]) -> list[T]:
    begin = time.monotonic()
    runs = [run() for _ in range(3)]
    while len(runs) < RUNS and time.monotonic() - begin < seconds:
        runs.append(run())
    return runs
