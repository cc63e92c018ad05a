"""turfctl export."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from turfmilter.cli.choosing import chosen, each, ids_argument
from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.options import selecting
from turfmilter.core.held.selection import Selection
from turfmilter.review.look import message
from turfmilter.review.mbox import mbox
from turfmilter.review.quarantines import Place


@click.command("export")
@ids_argument
@selecting(optional=True)
@directory_option
@click.pass_obj
def export(started: Started, ids: tuple[str, ...], selection: Selection | None, directory: Path | None) -> None:
    """Write held messages as an mbox.

    Name them by the beginning of their IDs, or select them by conditions.  A dash reads IDs from standard input.

    Lines of turfmilter's own are left out.  Lines that begin with From are quoted with ">" (mboxrd).  No message is
    marked reviewed.
    """
    if sys.stdout.isatty():
        raise click.UsageError("an mbox could harm a terminal; write it to a file: turfctl export … > FILE")
    with opened(started.configuration(tables=False), directory) as quarantines:
        each(chosen(quarantines, ids, selection), "exported", _write)


def _write(place: Place) -> None:
    with message(place) as (opened, slip):
        sender = slip.sender.address if slip else ""
        time = slip.time if slip else opened.written
        for piece in mbox(opened.file, sender, time):
            sys.stdout.buffer.write(piece)
