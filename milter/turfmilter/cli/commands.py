"""All commands of turfctl, and how each failure of one is reported.

This module is imported when a command is looked up, so that `turfctl --version` does not load all of them: in any case
before the command begins, and thus before root changes its user.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click

from turfmilter.cli.changing import delete, expire, undelete, verify_held
from turfmilter.cli.importing import import_from
from turfmilter.cli.listing import digest_held, list_held, stats
from turfmilter.cli.opened import Started
from turfmilter.cli.program import EX_CONFIG, EX_NOT_DONE, leave
from turfmilter.cli.releasing import release
from turfmilter.cli.reviewing import review
from turfmilter.cli.showing import export, show
from turfmilter.cli.status import status
from turfmilter.cli.turf import turf
from turfmilter.config.loader import ConfigError
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import NewerFormat, NotAMessage, Unopenable
from turfmilter.desk import SystemClock
from turfmilter.mta.smtp import NotSent, Unknown
from turfmilter.review.administrator import NoOwner, administrator
from turfmilter.review.contents import NoSuchPart
from turfmilter.review.quarantines import Ambiguous, NotFound
from turfmilter.review.turftable import NotEdited

_UNUSABLE = (ConfigError, NoOwner, Unopenable)
_NOT_DONE = (NotFound, Ambiguous, NotAMessage, NotEdited, LedgerError, NewerFormat, NoSuchPart, NotSent, Unknown)


@click.group(hidden=True)  # earlier versions had no shorter form of these commands
def quarantine() -> None:
    """Review held messages, and release or delete them."""


_REVIEWING = (list_held, show, review, release, delete, undelete, expire, verify_held, digest_held, stats, export)
for command in _REVIEWING:
    quarantine.add_command(command)
_EVERY = (quarantine, *_REVIEWING, turf, import_from, status)
COMMANDS: dict[str, click.Command] = {str(command.name): command for command in _EVERY}


def started(path: Path) -> Started:
    """Return how turfctl was started; `path` is the configuration."""
    return Started(path, administrator(), SystemClock())


def report(error: Exception) -> NoReturn:
    """Print what a command could not do, and end the program; raise `error` again if it is an error in the program."""
    if isinstance(error, _UNUSABLE):
        leave("turfctl", error, EX_CONFIG)
    if isinstance(error, _NOT_DONE):
        leave("turfctl", error, EX_NOT_DONE)
    if isinstance(error, FileNotFoundError):
        leave("turfctl", "the message is gone: it was removed just now", EX_NOT_DONE)
    if isinstance(error, FileExistsError):
        leave("turfctl", escape(str(error)), EX_NOT_DONE)
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):  # click handles a pipe that was closed
        leave("turfctl", escape(f"{error.filename}: {error.strerror}"), EX_NOT_DONE)
    raise error
