"""turfctl quarantine expire: what the daemon does once a minute, now."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from turfmilter.cli.asking import confirmed, counted, dry_run_option, yes_option
from turfmilter.cli.opened import Started, directory_option, opened, recorder, watched
from turfmilter.cli.output import table
from turfmilter.core.escape import escape
from turfmilter.review.expiry import Expiry


@click.command("expire")
@yes_option
@dry_run_option
@directory_option
@click.pass_obj
def expire(started: Started, yes: bool, dry_run: bool, directory: Path | None) -> None:
    """Remove the messages that are due, as [quarantine] in the configuration says."""
    config, who = started.configuration(), started.by
    with opened(config, directory) as quarantines:
        desks = [
            Expiry(maildir, recorder(maildir, who), config.quarantine, lambda: datetime.now(UTC))
            for maildir in quarantines.maildirs
        ]
        due = [(desk, one) for desk in desks for one in desk.due()]
        if dry_run and not due:
            click.echo("nothing is due")
            return
        if dry_run:
            table([{"id": one.file.id, "why": one.why} for _, one in due], ("id", "why"), as_json=False)
            return
        if due:
            confirmed(f"{counted(len(due))} will be removed for good", yes=yes)
        removed = sum(desk.remove(one) for desk, one in watched(due, "Removing"))
        for sentence in (sentence for desk in desks for sentence in desk.settle()):
            click.echo(f"turfctl: warning: {escape(sentence)}", err=True)
    click.echo(f"{counted(removed)} removed", err=True)
