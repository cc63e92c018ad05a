"""What the filter is told in the bench: tables of a given size, rules, the protocol engine and how many workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from turfmilter.config.schema import ProtocolEngine

TURF = "turf.example"  # a domain on every turf table; the load's other senders are on none


def settings(
    place: Path,
    *,
    engine: ProtocolEngine = ProtocolEngine.AUTO,
    match: str = '"sender"',
    mode: str = "enforce",
    turf: int = 10_000,
    networks: int = 10_000,
    workers: int = 1,
    worker_sessions: int = 0,
    journal: bool = False,
) -> str:
    """The TOML text for a filter in `place`, where tables of `turf` and `networks` entries are written, too.

    `match` and `mode` are those of the turf rule.
    """
    place.mkdir(exist_ok=True)
    write_table(place / "turf.table", turf_lines(turf))
    write_table(place / "clients.deny", network_lines(networks))
    kept = '[journal]\ndirectory = "{journal}"\n' if journal else ""
    replaced = f"worker_sessions = {worker_sessions}\n" if worker_sessions else ""
    return f"""protocol_engine = "{engine.value}"
workers = {workers}
{replaced}domains = ["rig.test"]

[connect]
deny = ["file:{place}/clients.deny"]

[turf]
mode = "{mode}"
tables = ["file:{place}/turf.table"]
match = [{match}]
directory = "{{quarantine}}"
{kept}"""


def turf_lines(count: int) -> list[str]:
    """`count` entries: domains, exact domains, addresses and local parts as lists of spammers have them."""
    shapes = ("@host{}.turf.test", "=@mail{}.turf.test", "user{}@turf.test", "spam{}@")
    return [f"@{TURF}", *(shapes[number % 4].format(number) for number in range(count - 1))]


def with_notes(lines: Sequence[str]) -> list[str]:
    """The same entries with notes in various orders; one in eight is an exception."""
    notes = ['expires=2099-01-31 by=anna why="seen in a trap"', "by=anna expires=2100-01-01"]
    notes += ['why=spam by="A. N. Other"', 'why="a newsletter" expires=2099-06-01']
    return [f"{'!' if not number % 8 else ''}{line} {notes[number % 4]}" for number, line in enumerate(lines, 1)]


def network_lines(count: int) -> list[str]:
    """`count` networks and addresses, none of which holds a client of the load."""
    return [_network(number) for number in range(count)]


def write_table(path: Path, lines: Sequence[str]) -> None:
    """Write a table of these lines."""
    path.write_text("".join(f"{line}\n" for line in lines))


def _network(number: int) -> str:
    first, rest = divmod(number, 1 << 16)
    address = f"{100 + first}.{rest >> 8}.{rest & 255}"
    return f"{address}.0/24" if number % 2 else f"{address}.7"
