"""What the commands about held messages have in common: which messages, and questions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.opened import Started, directory_option, opened, watched
from turfmilter.cli.output import document
from turfmilter.core.escape import escape
from turfmilter.core.measure import MeasureError, parse_size, parse_span
from turfmilter.core.table.pattern import PatternError, parse_host, parse_sender
from turfmilter.review.quarantines import NotFound, Quarantines
from turfmilter.stores.ledger import LedgerError
from turfmilter.stores.opened import NotAFile, Place, State
from turfmilter.stores.selection import NOT_DELETED, Selection

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", "-n", is_flag=True, help="Only say what would be done.")


def confirmed(what: str, *, yes: bool) -> None:
    """Returns when people agree to `what`, or have agreed before; otherwise the program ends."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(f"{what}, but there is no terminal to ask for confirmation; use --yes")
    click.confirm(f"{what}. Go on?", abort=True, err=True)


def counted(number: int) -> str:
    """The number of messages in words."""
    return "1 message" if number == 1 else f"{number} messages"


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


def ago(context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """The callback of an option that is an age; what comes of it is the time that long ago."""
    if value is None:
        return None
    started: Started = context.obj
    try:
        return started.clock.now() - parse_span(value)
    except MeasureError as error:
        raise click.BadParameter(escape(f'"{value}" {error}')) from None
    except OverflowError:
        raise click.BadParameter(f"{value} ago there was no time") from None


def _bytes(_context: click.Context, _option: click.Parameter, value: str) -> int:
    """A size as in the configuration."""
    try:
        return parse_size(value)
    except MeasureError as error:
        raise click.BadParameter(escape(f'"{value}" {error}')) from None


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
        "--larger", callback=_bytes, metavar="SIZE", default="0", help="Larger than this: bytes, or 10KiB, 2M."
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


ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...")


@dataclass(frozen=True, slots=True)
class Choice:
    """The messages that somebody named, and how he wants to be asked."""

    ids: tuple[str, ...]
    selection: Selection | None
    yes: bool
    dry_run: bool
    directory: Path | None


def choosing(states: frozenset[State] = NOT_DELETED) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command that changes something its arguments and options, and their values as its argument `choice`.

    Conditions mean messages in these `states`, unless others are asked for.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*args: Any, **given: Any) -> Any:
            choice = Choice(**{field.name: given.pop(field.name) for field in fields(Choice)})
            return command(*args, choice=choice, **given)

        given: Callable[..., Any] = run
        for option in (
            directory_option,
            dry_run_option,
            yes_option,
            selecting(states=states, optional=True),
            ids_argument,
        ):
            given = option(given)
        return given

    return decorate


def decide(started: Started, choice: Choice, what: str, act: Callable[[Place], object]) -> None:
    """Do it to each of the messages that are meant, once that is agreed."""
    with opened(started.configuration(), choice.directory) as quarantines:
        places = chosen(quarantines, choice.ids, choice.selection)
        if agreed(places, what, choice):
            each(places, what, act)


def chosen(quarantines: Quarantines, ids: Iterable[str], selection: Selection | None) -> list[Place]:
    """The messages with these ids, or those that are meant by the conditions.  Raises NotFound and Ambiguous."""
    if bool(ids) == bool(selection):
        raise click.UsageError("name messages by their ids, or select them by conditions such as --sender")
    if selection is None:
        return list(dict.fromkeys(quarantines.find_each(ids)))
    places = [held.place for held in quarantines.newest(selection)]
    if not places:
        raise NotFound("no message matches")
    return places


def each(places: list[Place], what: str, act: Callable[[Place], object]) -> None:
    """Do it to each of the messages; those to which it cannot be done are named, and the program ends with 1."""
    done = 0
    for place in watched(places, what.capitalize()):
        try:
            act(place)
        except FileNotFoundError:
            click.echo(f"turfctl: {escape(place.file.id)}: gone, somebody has removed it", err=True)
        except BrokenPipeError:
            raise
        except (NotAFile, LedgerError, OSError) as error:
            click.echo(f"turfctl: {escape(f'{place.file.id}: {error}')}", err=True)
        else:
            done += 1
    click.echo(f"{counted(done)} {what}", err=True)
    if done < len(places):
        raise click.exceptions.Exit(1)


def agreed(places: list[Place], what: str, choice: Choice, *, as_json: bool = False) -> bool:
    """True when it is to be done; the answer to the question may be no, and ends the program.  Raises NewerFormat."""
    messages = counted(len(places))
    if choice.dry_run:
        if as_json:
            document([{"id": place.file.id} for place in places])
        else:
            for place in places:
                click.echo(escape(place.file.id))
        click.echo(f"{messages} would be {what}", err=True)
        return False
    for maildir in dict.fromkeys(place.maildir for place in places):
        maildir.require_changeable()
    confirmed(f"{messages} will be {what}", yes=choice.yes)
    return True
