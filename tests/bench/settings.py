"""What the filter is told in the bench: tables of a given size, rules, and how many workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from turfmilter.config.schema import Config

TURF = "turf.example"  # a domain on every turf table; the load's other senders are on none
_KEYS = {field.name for field in fields(Config)}


def settings(
    place: Path, *, match: str = '"sender"', turf: int = 10_000, networks: int = 10_000, **processes: int
) -> str:
    """The TOML text for a filter in `place`, where the tables are written, too.

    `processes` are the keys about workers, as far as the filter has them.
    """
    place.mkdir(exist_ok=True)
    _write(place / "turf.table", turf_lines(turf))
    _write(place / "clients.deny", network_lines(networks))
    processes = {"workers": 1, **processes}
    above = "".join(f"{key} = {value}\n" for key, value in processes.items() if key in _KEYS)
    return f"""{above}domains = ["rig.test"]

[connect]
deny = ["file:{place}/clients.deny"]

[turf]
tables = ["file:{place}/turf.table"]
match = [{match}]
directory = "{{quarantine}}"
"""


def has_workers(number: int) -> bool:
    """True when the filter can be told to have that many workers."""
    return number == 1 or "workers" in _KEYS


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


def _network(number: int) -> str:
    first, rest = divmod(number, 1 << 16)
    address = f"{100 + first}.{rest >> 8}.{rest & 255}"
    return f"{address}.0/24" if number % 2 else f"{address}.7"


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
