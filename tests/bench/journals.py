"""turfctl replay and hunt over a journal of a million lines, and explain."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.commands import children
from bench.report import Figure, Samples, at_most
from bench.turns import Effort, in_turns
from rig.filter import Filter, give
from rig.journal import Journal
from rig.program import ENVIRONMENT
from rig.quarantine import command
from rig.sessions import Message, Plan
from turfmilter.core.journal.line import decode, encode
from turfmilter.stores.journalfile import JournalFile

_LINES = 1_000_000
_CLIENTS = 50
_ROUNDS = 3
# Conditions of a search: few lines, a tenth of them, and all.
_HUNTS = {
    "by sender": ("--sender", "@host7.example"),
    "by recipient and client": ("--recipient", "carol@", "--client", "192.0.2.0/28"),
    "nothing found": ("--author", "@nowhere.example"),
}
_ENTRIES = 1_000_000  # of the turf table, for explain
_FACTS = ("--client", "192.0.2.1", "--name", "x.example", "--from", "a@good.example", "--rcpt", "b@example.org")
_WORKERS = 2  # whose files are judged in two processes


def replays(place: Path, effort: Effort) -> Iterator[Figure]:
    """Judge a journal again under other rules, against only decoding its lines, in one process."""
    count = effort.of(_LINES)
    journal = Journal(place, 'tables = ["@turf.example"]\n')
    lines = _write(journal, count)
    work = {"replay": lambda: _replay(journal), "decode": lambda: _decode(lines, count)}
    runs = in_turns(min(effort.rounds, _ROUNDS), work)
    bare = Samples("decoding", [cpu for _, cpu in runs["decode"]], " s")
    cpu = Samples("turfctl", [cpu for _, cpu in runs["replay"]], " s")
    name = f"turfctl replay, {count:,} lines of {_WORKERS} workers"
    yield Figure(
        name=f"{name}: seconds",
        measured=Samples("turfctl", [seconds for seconds, _ in runs["replay"]], " s"),
        reference=bare,
        target=at_most(60.0),
        absolute=True,
        limit=f"CPU seconds of both processes: {cpu}; they share two processors with whatever else runs",
    )
    # What does not depend on other work on the machine: two processors have 120 s of it in 60 s.
    yield Figure(name=f"{name}: CPU seconds", measured=cpu, reference=bare, target=at_most(120.0), absolute=True)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield Figure(
        name=f"{name}: memory of its largest process",
        measured=Samples("turfctl", [largest], " MB"),
        target=at_most(200),
    )


def asked(place: Path, effort: Effort) -> Iterator[Figure]:
    """Search the journal, and explain a message that is in none: with the daemon, and by loading the tables."""
    count = effort.of(_LINES)
    journal = Journal(place, 'tables = ["@turf.example"]\n')
    _write(journal, count)
    rounds = min(effort.rounds, _ROUNDS)
    name = f"turfctl hunt, {count:,} lines"
    for what, options in _HUNTS.items():
        runs = [_run(journal.config, "hunt", *options, status=(0, 1)) for _ in range(rounds)]
        measured = Samples("turfctl", [cpu for _, cpu in runs], " s")
        yield Figure(name=f"{name}, {what}: CPU seconds", measured=measured, target=at_most(10.0), absolute=True)
    yield from _explained(place / "filter", effort)


def _explained(place: Path, effort: Effort) -> Iterator[Figure]:
    entries, rounds = effort.of(_ENTRIES), min(effort.rounds, _ROUNDS)
    place.mkdir()
    (place / "turf.table").write_text("".join(f"@d{number}.example\n" for number in range(entries)))
    turf = Filter(place, 'domains = ["example.org"]\n[turf]\ntables = ["file:turf.table"]\ndiscard = true\n')
    turf.start()
    try:
        asked = [_run(turf.config, "explain", *_FACTS, status=(0,)) for _ in range(rounds)]
    finally:
        turf.stop()
    loaded = [_run(turf.config, "explain", *_FACTS, status=(0,)) for _ in range(rounds)]
    yield Figure(
        name=f"turfctl explain, {entries:,} table entries: seconds, by asking the daemon",
        measured=Samples("turfctl", [seconds for seconds, _ in asked], " s"),
        reference=Samples("loading the tables", [seconds for seconds, _ in loaded], " s"),
        target=at_most(0.3),
        absolute=True,
    )


def _run(config: Path, *arguments: str, status: tuple[int, ...]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of turfctl, which must end with one of these."""
    begin, before = time.monotonic(), children()
    done = subprocess.run(command(config, *arguments), env=ENVIRONMENT, capture_output=True, check=False)
    if done.returncode not in status:
        raise RuntimeError(f"turfctl {arguments[0]} ended with {done.returncode}: {done.stderr.decode()}")
    return time.monotonic() - begin, children() - before


def _write(journal: Journal, count: int) -> list[bytes]:
    """Write `count` lines, which repeat the same few in other connections, and return those few."""
    plans = [Plan(client=f"192.0.2.{number}", messages=(_message(number),) * 2) for number in range(1, _CLIENTS + 1)]
    found = journal.play(*plans)
    for path in journal.directory.iterdir():
        path.unlink()
    for worker in range(_WORKERS):
        file = JournalFile(journal.directory, f"w{worker}", 0.0)
        for number in range(count // _WORKERS // len(found)):
            file.append([encode(one._replace(session=f"{worker}-{number}-{one.session}")) for one in found])
        file.close()
    for path in journal.directory.iterdir():
        give(path)
    return [encode(transaction) for transaction in found]


def _message(number: int) -> Message:
    sender = f"u{number}@host{number}.example"
    return Message(f"<{sender}>", ("<bob@example.org>", "<carol@example.org>"), author=f"U <{sender}>")


def _replay(journal: Journal) -> tuple[float, float]:
    """Return the seconds of a replay that treats two clients or senders of fifty differently, and its CPU seconds."""
    return _run(journal.config, "replay", "--turf-add", "@host7.example", "--deny", "192.0.2.9", status=(1,))


def _decode(lines: list[bytes], count: int) -> tuple[float, float]:
    begin, before = time.monotonic(), time.process_time()
    for number in range(count):
        decode(lines[number % len(lines)])
    return time.monotonic() - begin, time.process_time() - before
