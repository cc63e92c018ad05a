"""turfctl quarantine expire: what the daemon does once a minute, now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from turfmilter.cli.asking import confirmed, counted, dry_run_option, yes_option
from turfmilter.cli.opened import Recorders, Started, directory_option, opened, watched
from turfmilter.cli.output import table
from turfmilter.core.escape import escape
from turfmilter.review.expiry import Due, Expiry
from turfmilter.review.observation import Dates, Observation
from turfmilter.stores.retention import RetentionState, read_clocks


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
        recorders = Recorders(started.by)
        desks = [
            Expiry(maildir, recorders.of(maildir), config.quarantine, watch, lambda: datetime.now(UTC))
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
