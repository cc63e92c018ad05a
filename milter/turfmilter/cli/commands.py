"""All commands of turfctl, and how each failure of one is reported.

A command is imported when it is looked up, and with it all that it needs: before it begins, and thus before root
changes its user.  So no command waits for what only others need.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click

from turfmilter.cli.opened import NoJournal, NoTransaction, Started
from turfmilter.cli.program import EX_CONFIG, EX_NOT_DONE, leave
from turfmilter.config.loader import ConfigError
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import NewerFormat, NotAMessage, Unopenable
from turfmilter.desk import SystemClock
from turfmilter.review.administrator import NoOwner, administrator
from turfmilter.review.parallel import ChildFailed
from turfmilter.review.quarantines import Ambiguous, NotFound
from turfmilter.review.turftable import NotEdited

_UNUSABLE = (ChildFailed, ConfigError, NoJournal, NoOwner, Unopenable)
_NOT_DONE = (NoTransaction, NotFound, Ambiguous, NotAMessage, NotEdited, LedgerError, NewerFormat)

# In the order in which they are listed; those about held messages are also in the group "quarantine".
_REVIEWING = (
    "list",
    "show",
    "review",
    "release",
    "delete",
    "undelete",
    "expire",
    "verify",
    "digest",
    "stats",
    "export",
)
COMMANDS = (
    "quarantine",
    *_REVIEWING,
    "explain",
    "hunt",
    "replay",
    "report",
    "relay-test",
    "turf",
    "import",
    "reload",
    "status",
)


class _Quarantine(click.Group):
    """Has the commands about held messages; earlier versions had no shorter form of them."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_REVIEWING)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        return _reviewing(name)


def command(name: str) -> click.Command | None:
    """Import a command, and return it; None if there is none of this name."""
    match name:
        case "quarantine":
            return _Quarantine(name, help="Review held messages, and release or delete them.", hidden=True)
        case "turf":
            from turfmilter.cli.turf import turf

            return turf
        case "reload":
            from turfmilter.cli.reloading import reload

            return reload
        case "import":
            from turfmilter.cli.importing import import_from

            return import_from
        case "status":
            from turfmilter.cli.status import status

            return status
    return _asking(name) or _reviewing(name)


def _asking(name: str) -> click.Command | None:
    """Import a command that asks the rules or the journal, and return it; None if there is none of this name."""
    match name:
        case "explain":
            from turfmilter.cli.explaining import explain_message

            return explain_message
        case "hunt":
            from turfmilter.cli.hunting import hunt

            return hunt
        case "relay-test":
            from turfmilter.cli.relaytesting import relay_test

            return relay_test
        case "report":
            from turfmilter.cli.reporting import report

            return report
        case "replay":
            from turfmilter.cli.replaying import replay_journal

            return replay_journal
    return None


def _reviewing(name: str) -> click.Command | None:
    """Import a command about held messages, and return it; None if there is none of this name."""
    match name:
        case "list" | "stats":
            from turfmilter.cli.listing import list_held, stats

            return list_held if name == "list" else stats
        case "show":
            from turfmilter.cli.showing import show

            return show
        case "export":
            from turfmilter.cli.exporting import export

            return export
        case "review":
            from turfmilter.cli.onebyone.command import review

            return review
        case "release":
            from turfmilter.cli.releasing import release

            return release
        case "delete" | "undelete" | "expire" | "verify":
            from turfmilter.cli.changing import delete, expire, undelete, verify_held

            return {"delete": delete, "undelete": undelete, "expire": expire, "verify": verify_held}[name]
        case "digest":
            from turfmilter.cli.digesting import digest_held

            return digest_held
    return None


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
