"""What the commands that change held messages have in common: choosing messages, and asking for confirmation."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.listing import ledger_lines, list_rows, row
from turfmilter.cli.opened import Started, directory_option, opened, recorders, watched
from turfmilter.cli.options import confirmed, dry_run_option, selecting, yes_option
from turfmilter.cli.output import document
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import NewerFormat, NotAMessage, State, shown_id
from turfmilter.core.held.selection import NOT_DELETED, Selection
from turfmilter.core.ports import Clock
from turfmilter.review.layout import Row, counted
from turfmilter.review.look import glance
from turfmilter.review.quarantines import NotFound, Place, Quarantines
from turfmilter.review.recorder import Recorder

_MOST_SHOWN = 20  # messages that are shown with a question: what is asked must not leave the screen
_MOST_UNDONE = 5  # ids in the command that undoes an act: more do not fit on a line
_HEADING = "ID"  # the first word of a list, which is not an id
_STDIN = "-"


def _ids(_context: click.Context, _argument: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Callback of an argument of ids: "-" means those on standard input.  Raises NotFound if it has none."""
    named = [id for value in values for id in (_read_ids() if value == _STDIN else [value])]
    if values and not named:
        raise NotFound("no message matches: standard input contains no ids")
    return tuple(named)


def _read_ids() -> Iterator[str]:
    """Yield the first word of each line of standard input, which is replaced by the terminal for questions.

    The heading of a list is left out, and so are indented lines: in a list they contain what a sender wrote.
    """
    if sys.stdin is None:
        raise click.UsageError('standard input is closed, so that "-" cannot be read')
    for line in sys.stdin:
        if line.strip() and not line[0].isspace() and line.split()[0] != _HEADING:
            yield line.split()[0]
    with suppress(OSError):  # there may be no terminal
        sys.stdin = Path("/dev/tty").open(encoding=sys.stdin.encoding)  # noqa: SIM115 - open until the end


ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...", callback=_ids)


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


def decide(
    started: Started, request: Request, what: str, act: Callable[[Place, Recorder], object], *, undo: str
) -> None:
    """Call `act` for each of the chosen messages, after confirmation if there are several.

    `undo` is the command by which the act can be undone.
    """
    writing = recorders(started)
    with opened(started.configuration(tables=False), request.directory) as quarantines:
        places = chosen(quarantines, request.ids, request.selection)
        if agreed(started.clock, places, what, request, ask=len(places) > 1):
            each(places, what, lambda place: act(place, writing.of(place.quarantine)), undo=undo)


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


def each(places: Sequence[Place], what: str, act: Callable[[Place], object], *, undo: str = "") -> None:
    """Call `act` for each of the messages; failures are reported, and the program then ends with 1.

    `undo` is the command that undoes it, which is printed with the ids if they are few.
    """
    done = []
    for place in watched(places, what.capitalize()):
        try:
            act(place)
        except FileNotFoundError:
            click.echo(f"turfctl: {shown_id(place.message.id)}: gone: it was removed just now", err=True)
        except BrokenPipeError:
            raise
        except (NotAMessage, NewerFormat, LedgerError, OSError) as error:
            click.echo(f"turfctl: {shown_id(place.message.id)}: {escape(str(error))}", err=True)
        else:
            done.append(shlex.quote(shown_id(place.message.id)))
    hint = f"; undo it with: turfctl {undo} {' '.join(done)}" if undo and 0 < len(done) <= _MOST_UNDONE else ""
    click.echo(f"{counted(len(done))} {what}{hint}", err=True)
    if len(done) < len(places):
        raise click.exceptions.Exit(1)


def agreed(
    clock: Clock, places: Sequence[Place], what: str, request: Request, *, ask: bool, as_json: bool = False
) -> bool:
    """Return whether to proceed: not with --dry-run.  Ends the program if the answer is no.  Raises NewerFormat.

    Without `ask` no question is asked.  The messages are shown with the question as `list` shows them.
    """
    messages = counted(len(places))
    if request.dry_run:
        if as_json:
            document([{"id": place.message.id} for place in places])
        else:
            list_rows(clock, _rows(places))
        click.echo(f"{messages} would be {what}", err=True)
        return False
    for quarantine in dict.fromkeys(place.quarantine for place in places):
        quarantine.require_changeable()
    if ask and not request.yes:
        if sys.stdin is not None and sys.stdin.isatty():
            list_rows(clock, _rows(places[:_MOST_SHOWN]), err=True)
            if len(places) > _MOST_SHOWN:
                click.echo(f"and {len(places) - _MOST_SHOWN} more; --dry-run lists all", err=True)
        confirmed(f"{messages} will be {what}", yes=False)
    return True


def _rows(places: Sequence[Place]) -> list[Row]:
    lines = ledger_lines(places)
    return [row(glance(place), lines(place)) for place in places]
