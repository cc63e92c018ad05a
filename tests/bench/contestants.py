"""Filters that are measured: turfmilter with each protocol engine, and those that do nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.build import program
from bench.settings import settings
from rig.filter import Filter
from rig.link import accepts
from rig.process import Process
from turfmilter.config.schema import ProtocolEngine

# `auto` is one of these two.
ENGINES = (ProtocolEngine.LIBMILTER, ProtocolEngine.LOOP)
NOOP, SAME_EVENTS, EMPTY = "C no-op", "C, same events", "empty Python filter"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contestant:
    """A filter that runs, and what it costs."""

    name: str
    socket: Path
    process: Process

    def cpu(self) -> float:
        """CPU seconds of all its processes so far, also of those that have ended."""
        return sum(map(_cpu, self.process.pids()))

    def system(self) -> float:
        """The part of the CPU seconds that was spent in the kernel, in steps of 10 ms."""
        return sum(_ticks(pid, 12, 14) for pid in self.process.pids())

    def memory(self) -> float:
        """Megabytes of all its processes: the sum of PSS, which counts what n of them share as a n-th each."""
        return sum(map(_pss, self.process.pids())) / 1e6

    def memory_of_each(self) -> list[float]:
        """The same, process by process, without the first (the supervisor)."""
        return [_pss(pid) / 1e6 for pid in self.process.children()]


@dataclass(frozen=True)
class Turfmilter(Contestant):
    """The filter itself, with what it leaves behind."""

    running: Filter


@contextmanager
def noop(place: Path) -> Iterator[Contestant]:
    """The filter in C with five callbacks that are all answered."""
    yield from _run(NOOP, place / "noop.sock", [program("noop")])


@contextmanager
def same_events(place: Path, kind: str) -> Iterator[Contestant]:
    """The filter in C that asks for what turfmilter asks for, and does nothing.

    `kind` is envelope, author (`match` of [turf]) or trial (`mode` of [turf]).
    """
    yield from _run(SAME_EVENTS, place / f"same-{kind}.sock", [program("noop")], kind)


@contextmanager
def empty(place: Path, kind: str) -> Iterator[Contestant]:
    """The same in Python, on pymilter."""
    command: list[str | Path] = [sys.executable, Path(__file__).with_name("empty.py")]
    yield from _run(EMPTY, place / f"empty-{kind}.sock", command, kind)


@contextmanager
def turfmilter(place: Path, text: str, name: str = "turfmilter") -> Iterator[Turfmilter]:
    """The filter itself with the TOML text `text`."""
    place.mkdir(exist_ok=True)
    running = Filter(place, text, log="text")
    running.make_journal()  # used only if `text` names it
    with running:
        running.socket.chmod(0o777)
        yield Turfmilter(name, running.socket, running.daemon.process, running)


def with_each_engine(
    ending: ExitStack, place: Path, *, match: str = '"sender"', mode: str = "enforce", workers: int = 1
) -> dict[ProtocolEngine, Turfmilter]:
    """Two filters that run until `ending` does, named after their engine and the number of workers."""
    found = {}
    for engine in ENGINES:
        own = place / f"{engine.value}-{workers}"
        text = settings(own, engine=engine, match=match, mode=mode, workers=workers)
        found[engine] = ending.enter_context(turfmilter(own, text, called(engine, workers)))
    return found


@contextmanager
def with_a_journal(place: Path, engine: ProtocolEngine) -> Iterator[Turfmilter]:
    """The filter with one worker, which keeps a journal."""
    text = settings(place, engine=engine, journal=True)
    with turfmilter(place, text, f"{called(engine, 1)}, journal") as running:
        yield running


def called(engine: ProtocolEngine, workers: int) -> str:
    """The name of such a filter in the table."""
    return f"{engine.value}, {workers} worker{'s' if workers > 1 else ''}"


def _run(name: str, socket: Path, command: list[str | Path], *more: str) -> Iterator[Contestant]:
    process = Process([*command, f"unix:{socket}", *more], socket.with_suffix(".out"))
    process.start(lambda: accepts(socket))
    try:
        socket.chmod(0o777)
        yield Contestant(name, socket, process)
    finally:
        process.kill()  # libmilter's own end waits for its poll


def _cpu(pid: int) -> float:
    try:
        # The clock of another process, in nanoseconds, with the number that clock_getcpuclockid(3) gives it.
        own = time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0  # it ended while we looked
    return own + _ticks(pid, 13, 14)


def _ticks(pid: int, *columns: int) -> float:
    """The seconds in these columns of /proc/PID/stat: 0 is the state, 12 stime, 13 cutime, 14 cstime (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(fields[column]) for column in columns) / _TICKS


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
