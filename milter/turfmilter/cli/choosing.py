"""Which messages a command is to work on, named one by one or by conditions, and whether that is really meant."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from turfmilter.cli.opened import watched
from turfmilter.core.escape import escape
from turfmilter.review.quarantines import Ambiguous, NotFound, Quarantines
from turfmilter.stores.openmaildir import NotAFile, Place
from turfmilter.stores.selection import Selection

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", "-n", is_flag=True, help="Only say what would be done.")


def chosen(quarantines: Quarantines, ids: Iterable[str], selection: Selection | None) -> list[Place]:
    """The messages with these ids, or those that are meant by the conditions.  Raises NotFound and Ambiguous."""
    if bool(ids) == bool(selection):
        raise click.UsageError("name messages by their ids, or select them by conditions such as --sender")
    if selection is None:
        return list(dict.fromkeys(_found(quarantines, ids)))
    places = [held.place for held in quarantines.newest(selection)]
    if not places:
        raise NotFound("no message is held like this")
    return places


def agreed(places: list[Place], what: str, *, yes: bool, dry_run: bool) -> bool:
    """True when it is to be done; the answer to the question may be no, and ends the program."""
    messages = counted(len(places))
    if dry_run:
        for place in places:
            click.echo(escape(place.file.id))
        click.echo(f"{messages} would be {what}", err=True)
        return False
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{messages} would be {what}, and nobody is there to be asked; --yes does it")
        click.confirm(f"{messages} will be {what}. Go on?", abort=True, err=True)
    return True


def each(places: list[Place], what: str, act: Callable[[Place], Any]) -> None:
    """Do it to each of the messages; those to which it cannot be done are named, and the program ends with 1."""
    done = 0
    for place in watched(places, what.capitalize()):
        try:
            act(place)
        except FileNotFoundError:
            click.echo(f"turfctl: {escape(place.file.id)}: gone, somebody has removed it", err=True)
        except (NotAFile, OSError) as error:
            click.echo(f"turfctl: {escape(f'{place.file.id}: {error}')}", err=True)
        else:
            done += 1
    click.echo(f"{counted(done)} {what}", err=True)
    if done < len(places):
        raise click.exceptions.Exit(1)


def counted(number: int) -> str:
    """The number of messages in words."""
    return "1 message" if number == 1 else f"{number} messages"


def _found(quarantines: Quarantines, ids: Iterable[str]) -> list[Place]:
    """All of them, or none: each id that is wrong is named first."""
    places, wrong = [], []
    for id in ids:
        try:
            places.append(quarantines.find(id))
        except (NotFound, Ambiguous) as error:
            wrong.append(str(error))
    if wrong:
        raise NotFound("\n".join(wrong))
    return places
