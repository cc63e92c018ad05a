"""turfctl quarantine export: held messages for other programs."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from turfmilter.cli.choosing import chosen, each, ids_argument
from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.selecting import selecting
from turfmilter.review.look import message
from turfmilter.review.mbox import mbox
from turfmilter.stores.openmaildir import Place
from turfmilter.stores.selection import Selection


@click.command("export")
@ids_argument
@selecting(optional=True)
@directory_option
@click.pass_obj
def export(started: Started, ids: tuple[str, ...], selection: Selection | None, directory: Path | None) -> None:
    """Write held messages to standard output as an mbox, without turfmilter's own lines.

    A line that begins with From gets a ">" in front, as mboxrd has it.  Nothing is marked reviewed.
    """
    if sys.stdout.isatty():
        raise click.UsageError("an mbox could harm a terminal; write it to a file: turfctl quarantine export … > FILE")
    with opened(started.configuration(), directory) as quarantines:
        each(chosen(quarantines, ids, selection), "exported", _write)


def _write(place: Place) -> None:
    with message(place) as (file, slip):
        sender = slip.sender.address if slip else ""
        time = slip.time if slip else datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
        for piece in mbox(file, sender, time):
            sys.stdout.buffer.write(piece)
