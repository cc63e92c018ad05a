"""Options that several commands have in common: selecting messages, and asking for confirmation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from datetime import datetime
from functools import wraps
from typing import Any

import click

from turfmilter.cli.opened import Started
from turfmilter.core.escape import escape
from turfmilter.core.held.message import State
from turfmilter.core.held.selection import NOT_DELETED, Selection
from turfmilter.core.measure import MeasureError, parse_size, parse_span
from turfmilter.core.table.pattern import PatternError, parse_host, parse_sender

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
dry_run_option = click.option("--dry-run", "-n", is_flag=True, help="Only show what would be done.")


def confirmed(what: str, *, yes: bool) -> None:
    """Return if the user agrees to `what`, or used --yes; otherwise the program ends."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(f"{what}, but there is no terminal to ask for confirmation; use --yes")
    if not click.confirm(f"{what}. Go on?", err=True):
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


Callback = Callable[[click.Context, click.Parameter, Any], Any]


def _entry(parse: Callable[[str], object]) -> Callback:
    """Return the callback of an option that is an entry as in a table."""

    def read(_context: click.Context, _option: click.Parameter, value: str | None) -> object:
        try:
            return value if value is None else parse(value)
        except PatternError as error:
            meant = f"; {error.meant}" if error.meant else ""
            raise click.BadParameter(escape(f'"{value}": {error.wrong}{meant}')) from None

    return read


def ago(context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Callback of an option that is an age: return the time that long ago."""
    if value is None:
        return None
    started: Started = context.obj
    try:
        return started.clock.now() - parse_span(value)
    except MeasureError as error:
        raise click.BadParameter(escape(f'"{value}" {error}')) from None
    except OverflowError:
        raise click.BadParameter(f"{value} is too long ago") from None


def _bytes(_context: click.Context, _option: click.Parameter, value: str) -> int:
    """Callback of an option that is a size as in the configuration: return the bytes."""
    try:
        return parse_size(value)
    except MeasureError as error:
        raise click.BadParameter(escape(f'"{value}" {error}')) from None


def _state(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> frozenset[State]:
    """Callback of an option that is the name of a state as lists show it, or with "-" instead of its blank."""
    known = {state.value.replace(" ", "-"): state for state in State}
    for value in values:
        if value.replace(" ", "-") not in known:
            raise click.BadParameter(f'"{escape(value)}" is not a state; choose from {", ".join(known)}')
    return frozenset(known[value.replace(" ", "-")] for value in values)


_OPTIONS = {
    "sender": click.option(
        "--sender",
        callback=_entry(parse_sender),
        metavar="ENTRY",
        help="The sender: an entry as in a turf table, such as @isp.example.",
    ),
    "author": click.option(
        "--author", callback=_entry(parse_sender), metavar="ENTRY", help="An author (From:), in the same form."
    ),
    "recipient": click.option(
        "--recipient",
        callback=_entry(parse_sender),
        metavar="ENTRY",
        help="A recipient, in the same form.",
    ),
    "client": click.option(
        "--client", callback=_entry(parse_host), metavar="ENTRY", help="The client: an address, network, range or name."
    ),
    "rule": click.option("--rule", default="", help="The rule that decided."),
    "entry": click.option("--entry", default="", help="The entry that matched, or its place, such as turf.table:12."),
    "subject": click.option("--subject", default="", help="Any part of the subject."),
    "since": click.option("--newer", "since", callback=ago, metavar="AGE", help="Less than AGE ago: 30m, 12h, 7d, 2w."),
    "before": click.option("--older", "before", callback=ago, metavar="AGE", help="More than AGE ago."),
    "larger": click.option(
        "--larger", callback=_bytes, metavar="SIZE", default="0", help="Larger than SIZE: bytes, or 10KiB, 2M."
    ),
    "smaller": click.option("--smaller", callback=_bytes, metavar="SIZE", default="0", help="Smaller than SIZE."),
    "states": click.option(
        "--state",
        "states",
        callback=_state,
        metavar="STATE",
        multiple=True,
        help="The state, such as unreviewed, partly-released or unknown; may be given more than once.",
    ),
}
_NAMES = tuple(_OPTIONS)


def selecting(
    *, states: frozenset[State] = NOT_DELETED, optional: bool = False, only: Collection[str] = _NAMES
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options for a selection to a command, and pass their values as its argument `selection`.

    `states` are selected if none is given.  With `optional`, the selection is None if no option was given.  With
    `only`, it has just these conditions.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*args: Any, **given: Any) -> Any:
            values = {name: given.pop(name) for name in only}
            none_given = not any(values.values())
            values["states"] = values.get("states") or states
            selection = None if optional and none_given else Selection(**values)
            return command(*args, selection=selection, **given)

        for name, option in reversed(_OPTIONS.items()):
            run = option(run) if name in only else run
        return run

    return decorate
