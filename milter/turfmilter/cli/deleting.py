"""turfctl quarantine delete and undelete: a message is marked, and can be had back until it expires."""

from __future__ import annotations

from pathlib import Path

import click

from turfmilter.cli.choosing import agreed, chosen, dry_run_option, each, yes_option
from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.selecting import selecting
from turfmilter.config.loader import load
from turfmilter.stores.heldfile import DELETED, State
from turfmilter.stores.selection import Selection


@click.command("delete")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@selecting(optional=True)
@yes_option
@dry_run_option
@directory_option
@click.pass_obj
def delete(
    started: Started,
    ids: tuple[str, ...],
    selection: Selection | None,
    yes: bool,
    dry_run: bool,
    directory: Path | None,
) -> None:
    """Mark held messages deleted.

    They are named by the beginning of their IDs, or selected by conditions.  `undelete` takes it back.
    """
    with opened(load(started.path), directory) as quarantines:
        places = chosen(quarantines, ids, selection)
        if agreed(places, "deleted", yes=yes, dry_run=dry_run):
            each(places, "deleted", lambda place: place.maildir.change(place.file, add=DELETED))


@click.command("undelete")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@selecting(states=frozenset({State.DELETED}), optional=True)
@yes_option
@dry_run_option
@directory_option
@click.pass_obj
def undelete(
    started: Started,
    ids: tuple[str, ...],
    selection: Selection | None,
    yes: bool,
    dry_run: bool,
    directory: Path | None,
) -> None:
    """Take back the mark of deleted messages."""
    with opened(load(started.path), directory) as quarantines:
        places = chosen(quarantines, ids, selection)
        if agreed(places, "undeleted", yes=yes, dry_run=dry_run):
            each(places, "undeleted", lambda place: place.maildir.change(place.file, remove=DELETED))
