"""What tables of a million entries cost: to load, to look up, to keep.  Run with PYTHONPATH=milter; prints JSON.

The reference for loading is the least that any program must do: strip each line, fold it, put it into a dict.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.table.entries import table_file
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.senders import SenderTable

TODAY = date(2027, 1, 31)
SMALL, BIG = 1_000, 1_000_000
RUNS, LOOKUPS, WORKERS = 5, 20_000, 2
WORD = "abcdefghijklmnopqrstuvwxyz"

Table = SenderTable | HostTable


@dataclass(frozen=True)
class Subject:
    """A kind of table: its lines, how it is made and asked, and what it is asked for to miss and to hit."""

    lines: Callable[[int], list[str]]
    make: Callable[[str], Table]
    ask: Callable[[Table], Callable[[object], object]]
    miss: Callable[[Sequence[str]], list[object]]
    hit: Callable[[Sequence[str]], list[object]]


def sender_lines(number: int) -> list[str]:
    """Domains, addresses and exact domains, all different, in no order."""
    chance = random.Random(number)
    words = ["".join(chance.choices(WORD, k=chance.randint(3, 9))) for _ in range(3000)]
    found: dict[str, None] = {}
    while len(found) < number:
        domain = f"{chance.choice(words)}-{chance.choice(words)}{len(found) % 100}.{chance.choice(('com', 'co.uk'))}"
        local = chance.choices(("@", f"{chance.choice(words)}@", "=@"), (60, 35, 5))[0]
        found[local + domain] = None
    return list(found)


def network_lines(number: int) -> list[str]:
    """Addresses and networks of all sizes from /20, some within others, in no order."""
    chance = random.Random(number)
    found: dict[str, None] = {}
    while len(found) < number:
        length = chance.choices((32, 24, chance.randint(20, 30)), (30, 50, 20))[0]
        address = IPv4Address(chance.getrandbits(32) >> 32 - length << 32 - length)
        found[f"{address}" if length == 32 else f"{address}/{length}"] = None
    return list(found)


SUBJECTS = {
    "senders": Subject(
        sender_lines,
        lambda text: SenderTable([table_file("turf.table", text)]),
        lambda table: lambda mailbox: table.match(mailbox, TODAY),  # type: ignore[union-attr, arg-type]
        lambda _: [Mailbox(f"joe{i}", f"mail{i}.nowhere{i}.com") for i in range(LOOKUPS)],
        lambda lines: [Mailbox(*line.lstrip("=").split("@")) for line in random.choices(lines, k=LOOKUPS)],
    ),
    "networks": Subject(
        network_lines,
        lambda text: HostTable([table_file("clients.deny", text)], exception_wins=True),
        lambda table: lambda client: table.match_address(client, TODAY),  # type: ignore[union-attr, arg-type]
        lambda _: [IPv4Address(random.getrandbits(32)) for _ in range(LOOKUPS)],
        lambda lines: [IPv4Address(line.partition("/")[0]) for line in random.choices(lines, k=LOOKUPS)],
    ),
}


def main() -> None:
    """Print the figures of both kinds."""
    figures: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        for name, subject in SUBJECTS.items():
            path, small = Path(folder, name), Path(folder, f"{name}.small")
            lines = subject.lines(BIG)
            path.write_text("\n".join(lines))
            small.write_text("\n".join(lines[:SMALL]))
            del lines
            measures = (load(subject, path), memory(subject, path), *lookups(subject, small, path))
            figures |= {f"{name}: {what}": round(figure, 3) for measure in measures for what, figure in measure.items()}
    json.dump(figures, sys.stdout, indent=1)
    print()


def load(subject: Subject, path: Path) -> dict[str, float]:
    """CPU seconds, taken in turns."""
    pairs = [
        (in_child(lambda: cpu(lambda: bare_loop(path))), in_child(lambda: cpu(lambda: subject.make(path.read_text()))))
        for _ in range(RUNS)
    ]
    bare, loaded = (median(times) for times in zip(*pairs, strict=True))
    return {"seconds to load": loaded, "against the bare loop": loaded / bare}


def bare_loop(path: Path) -> dict[str, int]:
    """The reference."""
    entries = {}
    with path.open() as lines:
        for number, line in enumerate(lines, 1):
            entries[line.strip().lower()] = number
    return entries


def memory(subject: Subject, path: Path) -> dict[str, float]:
    """What a table costs a supervisor and its workers, who all look up much; and the most that loading takes."""

    def family(text: str | None) -> float:
        table = None if text is None else subject.make(text)
        del text
        gc.collect()
        gc.freeze()
        probes = subject.hit(path.read_text().split("\n")[:LOOKUPS]) if table is not None else []
        return proportional(WORKERS, lambda: [subject.ask(table)(probe) for probe in probes] if table else None)

    empty = in_child(lambda: family(None))
    full = in_child(lambda: family(path.read_text()))
    before = in_child(peak)
    most = in_child(lambda: (subject.make(path.read_text()), peak())[1])
    return {"bytes an entry": (full - empty) / BIG, "bytes an entry at most while loading": (most - before) / BIG}


def lookups(subject: Subject, small: Path, big: Path) -> list[dict[str, float]]:
    """Microseconds, and how many times as long as in the small table."""
    found = []
    for name, probes in (("a miss", subject.miss), ("a hit", subject.hit)):
        both = [in_child(partial(once, subject, path, probes)) for path in (small, big)]
        found.append({f"microseconds of {name}": both[1], f"{name} against a table of {SMALL}": both[1] / both[0]})
    return found


def once(subject: Subject, path: Path, probes: Callable[[Sequence[str]], list[object]]) -> float:
    """The microseconds of one lookup: the best of several rounds."""
    text = path.read_text()
    ask = subject.ask(subject.make(text))
    found = probes is subject.hit
    asked = [probe for probe in probes(text.split("\n")) if (ask(probe) is not None) is found]
    return min(cpu(lambda: [ask(probe) for probe in asked]) for _ in range(RUNS)) / len(asked) * 1e6


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of `work`."""
    start = process_time()
    work()
    return process_time() - start


def peak() -> float:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def proportional(workers: int, work: Callable[[], object]) -> float:
    """The bytes of this process and of some that it forks, once these have done `work`: what is shared counts once."""
    ready, done = os.pipe(), os.pipe()
    children = []
    for _ in range(workers):
        child = os.fork()
        if not child:
            work()
            os.write(ready[1], b".")
            os.read(done[0], 1)
            os._exit(0)
        children.append(child)
    for _ in children:
        os.read(ready[0], 1)
    total = sum(pss(process) for process in (os.getpid(), *children))
    os.write(done[1], b"." * workers)
    for child in children:
        os.waitpid(child, 0)
    return total


def pss(process: int) -> float:
    """Bytes; a page that several share counts in parts."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    return next(float(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))


def in_child(work: Callable[[], float]) -> float:
    """What `work` returns in a process of its own, which leaves nothing behind in this one."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.write(theirs, repr(work()).encode())
        os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as result:
        return float(result.read())


if __name__ == "__main__":
    main()
