"""Filters that are measured: turfmilter, and those that do nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.build import program
from rig.filter import Filter
from rig.link import accepts
from rig.process import Process

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

    def memory(self) -> float:
        """Megabytes of all its processes: the sum of PSS, which counts what n of them share as a n-th each."""
        return sum(map(_pss, self.process.pids())) / 1e6

    def memory_of_each(self) -> list[float]:
        """The same, process by process, without the first (the supervisor)."""
        return [_pss(pid) / 1e6 for pid in self.process.children()]


@contextmanager
def noop(place: Path) -> Iterator[Contestant]:
    """The filter in C with five callbacks that are all answered."""
    yield from _run("C no-op", place / "noop.sock", [program("noop")])


@contextmanager
def empty(place: Path, kind: str) -> Iterator[Contestant]:
    """The filter in Python that asks for what turfmilter asks for, and does nothing; `kind` is envelope or author."""
    command: list[str | Path] = [sys.executable, Path(__file__).with_name("empty.py")]
    yield from _run("empty Python filter", place / "empty.sock", command, kind)


@contextmanager
def turfmilter(place: Path, settings: str, name: str = "turfmilter") -> Iterator[tuple[Contestant, Filter]]:
    """The filter itself with the TOML text `settings`, and what it left behind."""
    place.mkdir(exist_ok=True)
    with Filter(place, settings, log="text") as running:
        running.socket.chmod(0o777)
        yield Contestant(name, running.socket, running.daemon.process), running


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
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended while we looked
    return sum(map(int, fields[11:15])) / _TICKS


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
