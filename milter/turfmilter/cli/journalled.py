"""What the commands that read the journal have in common: opening it, and saying what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from turfmilter.cli.opened import NoJournal, become_owner, warn_on_stderr
from turfmilter.cli.options import ago
from turfmilter.config.schema import Config
from turfmilter.core.escape import escape
from turfmilter.core.journal.ports import Transactions
from turfmilter.desk import open_journal

since_option = click.option(
    "--since", callback=ago, metavar="AGE", default="7d", show_default=True, help="Only what is not older: 12h, 7d, 2w."
)


def journal(config: Config) -> Transactions:
    """Return the journal of `config`; root becomes the filter's user first.  Raises NoJournal."""
    directory = require_journal(config)
    become_owner(config)
    try:
        found = open_journal(directory)
        if found.begins() is None:
            raise NoJournal(f"the journal in {directory} is empty; it is written from the next message on")
    except OSError as error:
        raise NoJournal(f"journal {error.filename or directory}: {error.strerror}") from None
    return found


def require_journal(config: Config) -> Path:
    """Return the directory of the journal.  Raises NoJournal if none is kept."""
    if config.journal.directory is None:
        raise NoJournal(
            "no journal is kept, so what happened is not known; set [journal] directory, for the mail from then on"
        )
    return config.journal.directory


def warn_of_gaps(found: Transactions, since: datetime) -> None:
    """Warn if the journal does not reach back to `since`."""
    begins = found.begins()
    if begins and begins > since:
        first = f"{begins.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        warn_on_stderr(f"the journal begins at {first}; what was before that is not known")


def warn_of_skipped(skipped: Mapping[str, int]) -> bool:
    """Warn about lines of the journal that could not be read; return True if there were any."""
    for why, number in sorted(skipped.items()):
        lines = "1 line" if number == 1 else f"{number} lines"
        warn_on_stderr(escape(f"the journal has {lines} that cannot be read: {why}"))
    return any(skipped.values())
