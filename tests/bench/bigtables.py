"""Big tables: lookups, loading, and what an entry costs in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from statistics import median

from bench.child import alone
from bench.contestants import turfmilter
from bench.load import load
from bench.report import Figure, Samples, at_most
from bench.settings import settings, turf_lines, with_notes, write_table
from bench.turns import Effort, in_turns
from turfmilter.config.loader import ConfigError
from turfmilter.config.loader import load as load_config
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.session import Connection

_HUGE, _MANY, _FEW = 10_000_000, 1_000_000, 1_000
_LOOKUPS = 20_000
_LOADS = 5  # rounds in which tables are loaded


def lookups(place: Path, effort: Effort) -> Iterator[Figure]:
    """A lookup in a big table against one in a small table, each in a process of its own."""
    many = effort.of(_MANY)
    bare = {count: median(alone(_time_bare, effort.rounds, count)) for count in (_FEW, many)}
    times = {count: alone(_time_lookups, effort.rounds, _configuration(place, count, count)) for count in (_FEW, many)}
    dict_times = f"{bare[many]:.2f} µs with {many:,} keys and {bare[_FEW]:.2f} µs with {_FEW:,}"
    for what in times[many]:
        yield _lookup(what, many, times[many], times[_FEW], f"a bare dict of strings takes {dict_times}")
    yield Figure(
        name=f"domain miss in {many:,} entries",
        measured=Samples("", times[many]["domain miss"], " µs"),
        target=at_most(3.0),
        limit=f"a bare dict of strings takes {dict_times}; one lookup is needed for each label",
    )


def memory(place: Path, effort: Effort) -> Iterator[Figure]:
    """The whole program with its tables, under load."""
    yield Figure(
        name="memory of all processes, 10,000 + 10,000 entries, 2 workers",
        measured=Samples("", [_megabytes(place / "some", 10_000, 10_000)], " MB"),
        target=at_most(60.0),
        limit="Python with pymilter, dnspython and click loaded, of which each process has a share",
    )
    many = effort.of(_MANY)
    without, with_many = (_megabytes(place / str(count), count, 0) for count in (1, many))
    yield Figure(
        name=f"memory for each of {many:,} turf entries, 2 workers",
        measured=Samples("", [(with_many - without) * 1e6 / many], " bytes"),
        target=at_most(200.0),
        details=(f"{with_many:.1f} MB against {without:.1f} MB without entries",),
    )


def loading(place: Path, effort: Effort) -> Iterator[Figure]:
    """Reading a table with all checks, against a bare loop over its lines; and one with notes, against one without."""
    many = effort.of(_MANY)
    plain, noted = _configuration(place, many, 0), _configuration(place / "notes", many, 0)
    write_table(noted.parent / "turf.table", with_notes(turf_lines(many)))
    work = {"plain": partial(alone, _time_loading, plain), "with notes": partial(alone, _time_loading, noted)}
    runs = in_turns(min(effort.rounds, _LOADS), work)
    samples = {name: Samples(name, [seconds for _, seconds in values], " s") for name, values in runs.items()}
    bare = Samples("a bare loop", [seconds for seconds, _ in runs["plain"]], " s")
    yield Figure(
        name=f"CPU to load {many:,} turf entries",
        measured=samples["plain"],
        reference=bare,
        target=at_most(4.0),
        limit="each entry is parsed, folded and compared with the others by itself",
    )
    yield Figure(
        name=f"CPU to load {many:,} turf entries",
        measured=samples["with notes"],
        reference=samples["plain"],
        target=at_most(1.7),
        limit="a line has three times as many characters",
    )


def huge(place: Path, effort: Effort) -> Iterator[Figure]:
    """A table of 10,000,000 entries: loading, memory, lookups, and one error in it."""
    number = effort.of(_HUGE)
    config = _configuration(place, number, 0)
    bare, (seconds, size) = alone(_time_bare_loop, config), alone(_weigh, config)
    yield Figure(
        name=f"CPU to load {number:,} turf entries",
        measured=Samples("", [seconds], " s"),
        reference=Samples("a bare loop", [bare], " s"),
        target=at_most(40.0),
        absolute=True,
        limit="each entry is parsed, folded and compared with the others by itself",
    )
    yield Figure(
        name=f"resident memory for each of {number:,} entries",
        measured=Samples("", [size], " bytes"),
        target=at_most(65.0),
        limit="the text itself, and 24 to 36 bytes of arrays",
    )
    few = alone(_time_lookups, effort.rounds, _configuration(place, _FEW, 1))
    times = alone(_time_lookups, effort.rounds, config)
    for what in ("domain hit", "domain miss"):
        yield _lookup(what, number, times, few, "what is not in the processor's cache")
    wrong = turf_lines(number)
    wrong[-2] = "@no..domain"
    write_table(config.parent / "turf.table", wrong)
    named = alone(_problems, config)
    yield Figure(
        name=f"the one invalid line of {number:,}: problems reported",
        measured=Samples("", [len(named)]),
        target=at_most(1.0),
        fault="" if any(f"turf.table:{number - 1}:" in one for one in named) else "it was not named",
        details=tuple(named[:1]),
    )


def _lookup(
    what: str, number: int, many: Mapping[str, Sequence[float]], few: Mapping[str, Sequence[float]], limit: str
) -> Figure:
    return Figure(
        name=f"lookup in {number:,} entries, {what}",
        measured=Samples("", many[what], " µs"),
        reference=Samples(f"{_FEW:,} entries", few[what], " µs"),
        target=at_most(2.0),
        limit=limit,
    )


def _configuration(place: Path, turf: int, networks: int) -> Path:
    place.mkdir(exist_ok=True)
    own = place / f"{turf}-{networks}"
    text = settings(own, turf=turf, networks=networks).replace("{quarantine}", str(own))
    (own / "turfmilter.toml").write_text(text)
    return own / "turfmilter.toml"


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


def _megabytes(place: Path, turf: int, networks: int) -> float:
    with turfmilter(place, settings(place, turf=turf, networks=networks, workers=2)) as running:
        load(running, "-n", "5000")
        return running.memory()


def _time_lookups(rounds: int, config: Path) -> dict[str, list[float]]:
    """Microseconds of one lookup, run by run, for each kind."""
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
    return in_turns(rounds, timed)


def _time_bare(rounds: int, count: int) -> list[float]:
    """The same for a dict of `count` strings."""
    names = {f"host{number}.turf.test": number for number in range(count)}
    asked = [f"host{number * 7919 % count}.turf.test" for number in range(_LOOKUPS)]
    return in_turns(rounds, {"bare": partial(_each, names.get, asked, None)})["bare"]


def _each(call: Callable[..., object], items: Sequence[object], today: object) -> float:
    begin = time.perf_counter()
    for item in items:
        call(item, today)
    return (time.perf_counter() - begin) / len(items) * 1e6


def _time_bare_loop(config: Path) -> float:
    """CPU seconds of the least that any program must do with the lines of a table."""
    begin = time.process_time()
    entries = {}
    with (config.parent / "turf.table").open() as lines:
        for line in lines:
            entries[line.strip().lower()] = line
    return time.process_time() - begin


def _time_loading(config: Path) -> tuple[float, float]:
    """CPU seconds of the bare loop, and of loading the whole configuration in the same process."""
    bare = _time_bare_loop(config)
    begin = time.process_time()
    load_config(config)
    return bare, time.process_time() - begin
