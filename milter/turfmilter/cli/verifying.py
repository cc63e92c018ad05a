"""turfctl quarantine verify: files, flags and ledger against each other."""

from __future__ import annotations

from pathlib import Path

import click

from turfmilter.cli.opened import Started, directory_option, opened, watched
from turfmilter.cli.output import json_option, table
from turfmilter.review.verify import verify
from turfmilter.stores.ledger import Ledger


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
