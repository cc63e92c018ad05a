"""What the commands about held messages have in common: selecting messages, and asking for confirmation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.opened import Started, directory_option, opened, watched
from turfmilter.cli.output import document
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import NotAMessage, State
from turfmilter.core.held.selection import NOT_DELETED, Selection
from turfmilter.core.measure import MeasureError, parse_size, parse_span
from turfmilter.core.table.pattern import PatternError, parse_host, parse_sender
from turfmilter.review.quarantines import NotFound, Place, Quarantines

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
dry_run_option = click.option("--dry-run", "-n", is_flag=True, help="Only show what would be done.")


def confirmed(what: str, *, yes: bool) -> None:
    """Return if the user agrees to `what`, or used --yes; otherwise the program ends."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(f"{what}, but there is no terminal to ask for confirmation; use --yes")
    click.confirm(f"{what}. Go on?", abort=True, err=True)


def counted(number: int) -> str:
    """Return the number of messages in words."""
    return "1 message" if number == 1 else f"{number} messages"


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


_STATES = click.Choice([state.value for state in State])
_OPTIONS = (
    click.option(
        "--sender",
        callback=_entry(parse_sender),
        metavar="ENTRY",
        help="The sender: an entry as in a turf table, such as @isp.example.",
    ),
    click.option(
        "--author", callback=_entry(parse_sender), metavar="ENTRY", help="An author (From:), in the same form."
    ),
    click.option(
        "--recipient",
        callback=_entry(parse_sender),
        metavar="ENTRY",
        help="A recipient of the held message, in the same form.",
    ),
    click.option(
        "--client", callback=_entry(parse_host), metavar="ENTRY", help="The client: an address, network, range or name."
    ),
    click.option("--rule", default="", help="The rule that held the message."),
    click.option("--entry", default="", help="The entry that matched, or its place, such as turf.table:12."),
    click.option("--subject", default="", help="Any part of the subject."),
    click.option("--newer", "since", callback=ago, metavar="AGE", help="Held less than AGE ago: 30m, 12h, 7d, 2w."),
    click.option("--older", "before", callback=ago, metavar="AGE", help="Held more than AGE ago."),
    click.option(
        "--larger", callback=_bytes, metavar="SIZE", default="0", help="Larger than SIZE: bytes, or 10KiB, 2M."
    ),
    click.option("--smaller", callback=_bytes, metavar="SIZE", default="0", help="Smaller than SIZE."),
    click.option("--state", "states", type=_STATES, multiple=True, help="The state; may be given more than once."),
)
_NAMES = tuple(field.name for field in fields(Selection))


def selecting(
    *, states: frozenset[State] = NOT_DELETED, optional: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options for a selection to a command, and pass their values as its argument `selection`.

    `states` are selected if none is given.  With `optional`, the selection is None if no option was given.
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
class Request:
    """The messages that were named or selected, and whether to ask for confirmation."""

    ids: tuple[str, ...]
    selection: Selection | None
    yes: bool
    dry_run: bool
    directory: Path | None


def choosing(states: frozenset[State] = NOT_DELETED) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add arguments and options to a command that changes something, and pass their values as its argument `request`.

    Conditions select messages in these `states`, unless --state is given.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*args: Any, **given: Any) -> Any:
            request = Request(**{field.name: given.pop(field.name) for field in fields(Request)})
            return command(*args, request=request, **given)

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


def decide(started: Started, request: Request, what: str, act: Callable[[Place], object]) -> None:
    """Call `act` for each of the chosen messages, after confirmation."""
    with opened(started.configuration(), request.directory) as quarantines:
        places = chosen(quarantines, request.ids, request.selection)
        if agreed(places, what, request):
            each(places, what, act)


def chosen(quarantines: Quarantines, ids: Sequence[str], selection: Selection | None) -> list[Place]:
    """Return the messages with these ids, or the selected ones.  Raises NotFound and Ambiguous."""
    if bool(ids) == bool(selection):
        raise click.UsageError("name messages by their ids, or select them by conditions such as --sender")
    if selection is None:
        return list(dict.fromkeys(quarantines.find_each(ids)))
    places = [found.place for found in quarantines.newest(selection)]
    if not places:
        raise NotFound("no message matches")
    return places


def each(places: list[Place], what: str, act: Callable[[Place], object]) -> None:
    """Call `act` for each of the messages; failures are reported, and the program then ends with 1."""
    done = 0
    for place in watched(places, what.capitalize()):
        try:
            act(place)
        except FileNotFoundError:
            click.echo(f"turfctl: {escape(place.message.id)}: gone: it was removed just now", err=True)
        except BrokenPipeError:
            raise
        except (NotAMessage, LedgerError, OSError) as error:
            click.echo(f"turfctl: {escape(f'{place.message.id}: {error}')}", err=True)
        else:
            done += 1
    click.echo(f"{counted(done)} {what}", err=True)
    if done < len(places):
        raise click.exceptions.Exit(1)


def agreed(places: list[Place], what: str, request: Request, *, as_json: bool = False) -> bool:
    """Return whether to proceed: not with --dry-run.  Ends the program if the answer is no.  Raises NewerFormat."""
    messages = counted(len(places))
    if request.dry_run:
        if as_json:
            document([{"id": place.message.id} for place in places])
        else:
            for place in places:
                click.echo(escape(place.message.id))
        click.echo(f"{messages} would be {what}", err=True)
        return False
    for quarantine in dict.fromkeys(place.quarantine for place in places):
        quarantine.require_changeable()
    confirmed(f"{messages} will be {what}", yes=request.yes)
    return True
