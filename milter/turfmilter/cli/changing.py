"""turfctl delete, undelete, expire and verify."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from turfmilter.cli.choosing import Request, choosing, decide
from turfmilter.cli.opened import Started, directory_option, opened, recorders, warn_on_stderr, watched
from turfmilter.cli.options import confirmed, dry_run_option, yes_option
from turfmilter.cli.output import json_option, table
from turfmilter.core.escape import escape
from turfmilter.core.held.message import State
from turfmilter.desk import build_observation
from turfmilter.review import marks
from turfmilter.review.expiry import Due, Expiry
from turfmilter.review.layout import counted
from turfmilter.review.observation import Dates
from turfmilter.review.verify import verify


@click.command("delete")
@choosing()
@click.pass_obj
def delete(started: Started, request: Request) -> None:
    """Mark held messages as deleted.

    Name them by the beginning of their IDs, or select them by conditions.  A dash reads IDs from standard input, such
    as a list: turfctl list --sender @isp.example | turfctl delete -

    `undelete` restores them.
    """
    decide(started, request, "deleted", marks.delete, undo="undelete")


@click.command("undelete")
@choosing(frozenset({State.DELETED}))
@click.pass_obj
def undelete(started: Started, request: Request) -> None:
    """Restore deleted messages.

    Name them by the beginning of their IDs, or select them by conditions.  A dash reads IDs from standard input.
    """
    decide(started, request, "restored", marks.restore, undo="delete")


@click.command("expire")
@click.option(
    "--trust-dates",
    is_flag=True,
    help="Trust the clock and the date of each message, and remove everything that is due at once.",
)
@yes_option
@dry_run_option
@directory_option
@click.pass_obj
def expire(started: Started, trust_dates: bool, yes: bool, dry_run: bool, directory: Path | None) -> None:
    """Remove the messages that are due.

    What is due is determined by [quarantine] in the configuration.  As in the daemon, an unreviewed message is removed
    only if this host itself has seen it for that long and its clock has run evenly for a day; the number that is
    removed in an hour is limited.
    """
    config = started.configuration(tables=False)
    with opened(config, directory) as quarantines:
        for held in quarantines.each:
            held.require_changeable()
        watch = Dates() if trust_dates else build_observation(config)
        writing = recorders(started)
        desks = [
            Expiry(held, writing.of(held), config.quarantine, watch, started.clock.now) for held in quarantines.each
        ]
        due = [(desk, desk.due()) for desk in desks]
        number = sum(len(some) for _, some in due)
        if dry_run:
            _preview([one for _, some in due for one in some])
            _warn([watch.waiting, *watch.problems])
            return
        if number:
            confirmed(f"{counted(number)} will be removed permanently", yes=yes)
        granted = [(desk, one) for desk, some in due for one in desk.granted(some)]
        _warn([watch.waiting, *watch.problems])
        stuck = _remove(granted)
        _warn(said for desk in desks for said in desk.settle())
    if stuck:
        raise click.exceptions.Exit(1)


def _remove(granted: Sequence[tuple[Expiry, Due]]) -> int:
    """Remove messages, print how many were removed, and return how many could not be, after a warning for each.

    Raises LedgerError, after which no other message could be removed either.
    """
    removed = stuck = 0
    try:
        for desk, one in watched(granted, "Removing"):
            try:
                removed += desk.remove(one)
            except OSError as error:
                stuck += 1
                warn_on_stderr(f"{escape(one.message.id)} cannot be removed: {error.strerror}")
    finally:
        click.echo(f"{counted(removed)} removed", err=True)
    return stuck


def _preview(due: Sequence[Due]) -> None:
    if due:
        table([{"id": one.message.id, "why": one.why} for one in due], ("id", "why"), as_json=False)
    else:
        click.echo("nothing is due")


def _warn(sentences: Iterable[str]) -> None:
    for sentence in filter(None, sentences):
        warn_on_stderr(escape(sentence))


@click.command("verify")
@json_option
@directory_option
@click.pass_obj
def verify_held(started: Started, as_json: bool, directory: Path | None) -> None:
    """Check that nothing was changed.

    Compares every message with its digest, and its state with the ledger.  Reads every message completely.  Exits 1 if
    anything does not agree.
    """
    with opened(started.configuration(tables=False), directory) as quarantines:
        rows = [
            {"directory": held.name, "id": id, "wrong": wrong}
            for held in quarantines.each
            for id, wrong in verify(held, lambda messages: watched(messages, "Verifying"))
        ]
    if rows or as_json:
        table(rows, ("id", "wrong"), as_json=as_json)
    if rows:
        raise click.exceptions.Exit(1)
    click.echo("files, flags and ledger agree", err=True)
