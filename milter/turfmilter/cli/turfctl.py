"""turfctl: the administrator's tool."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from turfmilter import __version__
from turfmilter.cli.changing import delete, expire, undelete, verify_held
from turfmilter.cli.listing import digest_held, list_held, stats
from turfmilter.cli.opened import EX_CONFIG, Started, config_option, leave
from turfmilter.cli.releasing import release
from turfmilter.cli.showing import export, show
from turfmilter.cli.status import status
from turfmilter.cli.streams import prepare_output
from turfmilter.cli.turf import turf
from turfmilter.compose import SystemClock
from turfmilter.config.loader import ConfigError
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import NewerFormat, NotAMessage, Unopenable
from turfmilter.daemon.background import occupy_standard_descriptors
from turfmilter.mta.smtp import NotSent, Unknown
from turfmilter.review.administrator import NoOwner, administrator
from turfmilter.review.contents import NoSuchPart
from turfmilter.review.quarantines import Ambiguous, NotFound
from turfmilter.review.turftable import NotEdited

_EX_NOT_DONE = 1


class _Program(click.Group):
    """Lists its commands in the order in which they were added, and reports in one line what cannot be done."""

    def main(self, *given: Any, **options: Any) -> Any:
        # Otherwise a file of the quarantine could get the number of a standard stream, and with it Python's errors.
        occupy_standard_descriptors()
        if sys.stdout is None:
            leave("turfctl", "standard output is closed, so that nothing can be shown; nothing was done", _EX_NOT_DONE)
        prepare_output()
        try:
            return super().main(*given, **options)
        except OSError as error:
            leave("turfctl", escape(f"{error.filename}: {error.strerror}"), _EX_NOT_DONE)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()  # at the end of the program, an error could not be reported
            return done
        except (ConfigError, NoOwner, Unopenable) as error:
            leave("turfctl", error, EX_CONFIG)
        except (
            NotFound,
            Ambiguous,
            NotAMessage,
            NotEdited,
            LedgerError,
            NewerFormat,
            NoSuchPart,
            NotSent,
            Unknown,
        ) as error:
            leave("turfctl", error, _EX_NOT_DONE)
        except FileNotFoundError:
            leave("turfctl", "the message is gone: it was removed just now", _EX_NOT_DONE)
        except FileExistsError as error:
            leave("turfctl", escape(str(error)), _EX_NOT_DONE)
        except BrokenPipeError:  # the reader has closed the pipe; click handles that
            raise
        except OSError as error:
            leave("turfctl", escape(f"{error.filename}: {error.strerror}"), _EX_NOT_DONE)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(__version__, "-V", "--version", prog_name="turfctl")
@click.pass_context
def main(context: click.Context, path: Path) -> None:
    """Review what turfmilter has held, and show what it is doing.

    Exit status: 0 done, 1 nothing found or not everything done, 2 usage error, 78 configuration or quarantine unusable.
    """
    context.obj = Started(path, administrator(), SystemClock())


@main.group(hidden=True)  # earlier versions had no shorter form of these commands
def quarantine() -> None:
    """Review held messages, and release or delete them."""


for command in (list_held, show, release, delete, undelete, expire, verify_held, digest_held, stats, export):
    main.add_command(command)
    quarantine.add_command(command)
main.add_command(turf)
main.add_command(status)
