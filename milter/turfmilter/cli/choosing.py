"""Which messages a command is to work on, named one by one or by conditions, and whether that is really meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.asking import confirmed, counted, dry_run_option, yes_option
from turfmilter.cli.opened import Started, directory_option, opened, watched
from turfmilter.cli.output import document
from turfmilter.cli.selecting import selecting
from turfmilter.core.escape import escape
from turfmilter.review.quarantines import NotFound, Quarantines
from turfmilter.stores.heldfile import State
from turfmilter.stores.ledger import LedgerError
from turfmilter.stores.openmaildir import NotAFile, Place
from turfmilter.stores.selection import NOT_DELETED, Selection

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
