"""turfctl quarantine delete and undelete: a message is marked, and can be had back until it expires."""

from __future__ import annotations

import click

from turfmilter.cli.choosing import Choice, choosing, decide
from turfmilter.cli.opened import Recorders, Started
from turfmilter.stores.heldfile import DELETED, State
from turfmilter.stores.openmaildir import Place


@click.command("delete")
@choosing()
@click.pass_obj
def delete(started: Started, choice: Choice) -> None:
    """Mark held messages deleted.

    They are named by the beginning of their IDs, or selected by conditions.  `undelete` takes it back.
    """
    recorders = Recorders(started.by)
    decide(started, choice, "deleted", lambda place: _mark(recorders, place, "delete", add=DELETED))


@click.command("undelete")
@choosing(frozenset({State.DELETED}))
@click.pass_obj
def undelete(started: Started, choice: Choice) -> None:
    """Take back the mark of deleted messages."""
    recorders = Recorders(started.by)
    decide(started, choice, "undeleted", lambda place: _mark(recorders, place, "undelete", remove=DELETED))


def _mark(recorders: Recorders, place: Place, act: str, *, add: str = "", remove: str = "") -> None:
    with recorders.of(place.maildir).acting(act, place.file.id):
        place.maildir.change(place.file, add=add, remove=remove)
