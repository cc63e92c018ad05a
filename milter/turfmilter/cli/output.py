"""Tables for people on a terminal, JSON for programs: the one place for both."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from turfmilter.core.escape import escape

_GAP = "  "
_NARROWEST = 12  # a column that is cut keeps as much

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

Row = Mapping[str, object]


def table(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Print `rows`: as JSON with all that they hold, else `columns` of them, cut to the width of a terminal."""
    if as_json:
        document(rows)
        return
    lines = [[column.upper() for column in columns], *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(map(width, cells)) for cells in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        _narrow(widths, shutil.get_terminal_size().columns)
    for line in lines:
        cells = (_fit(cell, size) for cell, size in zip(line, widths, strict=True))
        click.echo(_GAP.join(cells).rstrip())


def document(value: object) -> None:
    """Print `value` as JSON, in ASCII: nothing in it can harm a terminal."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def moment(time: datetime) -> str:
    """A time as people read it, UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def width(text: str) -> int:
    """Return how many columns of a terminal `text` occupies."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    return escape("" if value is None else str(value))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{value!r} cannot be written as JSON")


def _narrow(widths: list[int], room: int) -> None:
    """Take from the widest columns until all of them fit."""
    while sum(widths) + len(_GAP) * (len(widths) - 1) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _fit(cell: str, size: int) -> str:
    if width(cell) <= size:
        return cell + " " * (size - width(cell))
    while width(cell) > size - 1:
        cell = cell[: min(len(cell) - 1, size - 1)]
    return cell + "…" + " " * (size - 1 - width(cell))
