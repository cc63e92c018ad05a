"""What commands print: tables for people on a terminal, JSON for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from turfmilter.cli.streams import displayed_encoding
from turfmilter.core.escape import escape
from turfmilter.core.ports import Clock
from turfmilter.review.layout import Screen, cut, ellipsis_in, width

_GAP = "  "
_NARROWEST = 12  # columns that a column keeps when it is cut
FEWEST_COLUMNS = 20  # of a screen; on a narrower one, lines are wrapped by the terminal

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

Row = Mapping[str, object]


def screen(clock: Clock) -> Screen:
    """Return the screen that output is shown on: as wide as COLUMNS or the terminal, or of 80 columns."""
    return Screen(max(shutil.get_terminal_size().columns, FEWEST_COLUMNS), displayed_encoding(), clock.now())


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


def _cell(value: object) -> str:
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
    shown = cut(cell, size, ellipsis_in(displayed_encoding()))
    return shown + " " * (size - width(shown))
