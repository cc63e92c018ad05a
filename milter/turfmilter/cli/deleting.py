"""turfctl quarantine delete and undelete: a message is marked, and can be had back until it expires."""

from __future__ import annotations

import click

from turfmilter.cli.choosing import Choice, choosing, decide
from turfmilter.cli.opened import Started
from turfmilter.stores.heldfile import DELETED, State


@click.command("delete")
@choosing()
@click.pass_obj
def delete(started: Started, choice: Choice) -> None:
    """Mark held messages deleted.

    They are named by the beginning of their IDs, or selected by conditions.  `undelete` takes it back.
    """
    decide(started, choice, "deleted", lambda place: place.maildir.change(place.file, add=DELETED))


@click.command("undelete")
@choosing(frozenset({State.DELETED}))
@click.pass_obj
def undelete(started: Started, choice: Choice) -> None:
    """Take back the mark of deleted messages."""
    decide(started, choice, "undeleted", lambda place: place.maildir.change(place.file, remove=DELETED))
