"""turfctl quarantine delete, undelete, expire and verify."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from turfmilter.cli.opened import Recorders, Started, directory_option, opened, watched
from turfmilter.cli.options import Choice, choosing, confirmed, counted, decide, dry_run_option, yes_option
from turfmilter.cli.output import json_option, table
from turfmilter.core.escape import escape
from turfmilter.review.expiry import Due, Expiry
from turfmilter.review.observation import Dates, Observation
from turfmilter.review.verify import verify
from turfmilter.stores.ledger import Ledger
from turfmilter.stores.opened import DELETED, Place, State
from turfmilter.stores.retention import RetentionState, read_clocks


@click.command("delete")
@choosing()
@click.pass_obj
def delete(started: Started, choice: Choice) -> None:
    """Mark held messages deleted.

    They are named by the beginning of their IDs, or selected by conditions.  `undelete` takes it back.
    """
    recorders = Recorders(started)
    decide(started, choice, "deleted", lambda place: _mark(recorders, place, "delete", add=DELETED))


@click.command("undelete")
@choosing(frozenset({State.DELETED}))
@click.pass_obj
def undelete(started: Started, choice: Choice) -> None:
    """Take back the mark of deleted messages."""
    recorders = Recorders(started)
    decide(started, choice, "undeleted", lambda place: _mark(recorders, place, "undelete", remove=DELETED))


def _mark(recorders: Recorders, place: Place, act: str, *, add: str = "", remove: str = "") -> None:
    with recorders.of(place.maildir).acting(act, place.file.id):
        place.maildir.change(place.file, add=add, remove=remove)


@click.command("expire")
@click.option(
    "--trust-dates",
    is_flag=True,
    help="Take the clock and the time at which each message was held at their word, and all at once.",
)
@yes_option
@dry_run_option
@directory_option
@click.pass_obj
def expire(started: Started, trust_dates: bool, yes: bool, dry_run: bool, directory: Path | None) -> None:
    """Remove the messages that are due, as [quarantine] in the configuration says.

    As in the daemon, what nobody has reviewed goes only when this host itself has seen it for as long, its clock has
    run evenly for a day, and not too much at once.
    """
    config = started.configuration()
    with opened(config, directory) as quarantines:
        for maildir in quarantines.maildirs:
            maildir.require_changeable()
        watch = Dates() if trust_dates else Observation(RetentionState(config.state), read_clocks)
        recorders = Recorders(started)
        desks = [
            Expiry(maildir, recorders.of(maildir), config.quarantine, watch, started.clock.now)
            for maildir in quarantines.maildirs
        ]
        due = [(desk, desk.due()) for desk in desks]
        number = sum(len(some) for _, some in due)
        if dry_run:
            _preview([one for _, some in due for one in some])
            _warn([watch.waiting, *watch.problems])
            return
        if number:
            confirmed(f"{counted(number)} will be removed for good", yes=yes)
        granted = [(desk, one) for desk, some in due for one in desk.granted(some)]
        removed = sum(_removed(desk, one) for desk, one in watched(granted, "Removing"))
        _warn([watch.waiting, *watch.problems, *(said for desk in desks for said in desk.settle())])
    click.echo(f"{counted(removed)} removed", err=True)


def _removed(desk: Expiry, due: Due) -> bool:
    try:
        return desk.remove(due)
    except OSError as error:
        _warn([f"{due.file.id} cannot be removed: {error.strerror}"])
        return False


def _preview(due: Sequence[Due]) -> None:
    if due:
        table([{"id": one.file.id, "why": one.why} for one in due], ("id", "why"), as_json=False)
    else:
        click.echo("nothing is due")


def _warn(sentences: Iterable[str]) -> None:
    for sentence in filter(None, sentences):
        click.echo(f"turfctl: warning: {escape(sentence)}", err=True)


@click.command("verify")
@json_option
@directory_option
@click.pass_obj
def verify_held(started: Started, as_json: bool, directory: Path | None) -> None:
    """Check every message against its digest, and its state against the ledger.

    Reads all messages from end to end.  Exit status 1 when something does not agree.
    """
    with opened(started.configuration(), directory) as quarantines:
        rows = [
            {"directory": str(maildir.path), "id": id, "wrong": wrong}
            for maildir in quarantines.maildirs
            for id, wrong in verify(maildir, Ledger(maildir.root), lambda files: watched(files, "Verifying"))
        ]
    if rows or as_json:
        table(rows, ("id", "wrong"), as_json=as_json)
    if rows:
        raise click.exceptions.Exit(1)
    click.echo("files, flags and ledger agree", err=True)
