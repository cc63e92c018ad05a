"""The options by which held messages are selected, the same for every command that takes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click

from turfmilter.config.given import Given, Notes, Wrong
from turfmilter.config.quantities import Size
from turfmilter.core.escape import escape
from turfmilter.core.pattern import PatternError, parse_host, parse_sender
from turfmilter.stores.heldfile import State
from turfmilter.stores.selection import NOT_DELETED, Selection

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)


Callback = Callable[[click.Context, click.Parameter, Any], Any]


def _entry(parse: Callable[[str], object]) -> Callback:
    """An entry as in a table."""

    def read(_context: click.Context, _option: click.Parameter, value: str | None) -> object:
        try:
            return value if value is None else parse(value)
        except PatternError as error:
            meant = f"; {error.meant}" if error.meant else ""
            raise click.BadParameter(escape(f'"{value}": {error.wrong}{meant}')) from None

    return read


def ago(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """The callback of an option that is an age; what comes of it is the time that long ago."""
    if value is None:
        return None
    age = _AGE.fullmatch(value)
    if age is None:
        raise click.BadParameter(escape(f'"{value}" is no age; write a number with m, h, d or w, such as 7d'))
    try:
        return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    except OverflowError:
        raise click.BadParameter(f"{value} ago there was no time") from None


def _bytes(_context: click.Context, _option: click.Parameter, value: str) -> int:
    """A size as in the configuration."""
    try:
        return Size().read(Given(int(value) if value.isdecimal() else value, "", Notes(Path())))
    except Wrong as error:
        raise click.BadParameter(escape(str(error))) from None


_STATES = click.Choice([state.value for state in State])
_OPTIONS = (
    click.option(
        "--sender",
        callback=_entry(parse_sender),
        metavar="ENTRY",
        help="The sender: an entry as in a turf table, as @isp.example.",
    ),
    click.option("--author", callback=_entry(parse_sender), metavar="ENTRY", help="An author (From:), likewise."),
    click.option(
        "--recipient",
        callback=_entry(parse_sender),
        metavar="ENTRY",
        help="A recipient from whom it is held, likewise.",
    ),
    click.option(
        "--client", callback=_entry(parse_host), metavar="ENTRY", help="The client: an address, network, range or name."
    ),
    click.option("--rule", default="", help="The rule that held it."),
    click.option("--entry", default="", help="The entry that matched, or its place, as turf.table:12."),
    click.option("--subject", default="", help="Any part of the subject."),
    click.option("--newer", "since", callback=ago, metavar="AGE", help="Held less than this ago: 30m, 12h, 7d, 2w."),
    click.option("--older", "before", callback=ago, metavar="AGE", help="Held more than this ago."),
    click.option(
        "--larger", callback=_bytes, metavar="SIZE", default="0", help="Larger than this: bytes, or 10KiB, 2MiB."
    ),
    click.option("--smaller", callback=_bytes, metavar="SIZE", default="0", help="Smaller than this."),
    click.option("--state", "states", type=_STATES, multiple=True, help="The state; may be given more than once."),
)
_NAMES = tuple(field.name for field in fields(Selection))


def selecting(
    *, states: frozenset[State] = NOT_DELETED, optional: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options, and their values as its argument `selection`.

    `states` are meant when none is given.  Where the selection is `optional` it is None when no option was given.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*args: Any, **given: Any) -> Any:
            values = {name: given.pop(name) for name in _NAMES}
            none_given = not any(values.values())
            values["states"] = frozenset(map(State, values["states"])) or states
            selection = None if optional and none_given else Selection(**values)
            return command(*args, selection=selection, **given)

        for option in reversed(_OPTIONS):
            run = option(run)
        return run

    return decorate
