"""turfctl: the administrator's tool."""

from __future__ import annotations

from pathlib import Path

import click

from turfmilter import __version__
from turfmilter.cli.configuration import EX_CONFIG, config_option, leave
from turfmilter.cli.listing import list_held
from turfmilter.config.loader import ConfigError
from turfmilter.review.administrator import NoOwner
from turfmilter.stores.openmaildir import Unopenable


class _Program(click.Group):
    """Says what cannot be used in one line each, whichever command found it."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ConfigError, NoOwner, Unopenable) as error:
            leave("turfctl", error, EX_CONFIG)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(__version__, "-V", "--version", prog_name="turfctl")
@click.pass_context
def main(context: click.Context, path: Path) -> None:
    """Review what turfmilter has held.

    Exit status: 0 done, 1 nothing found or not all done, 2 usage, 78 configuration or quarantine unusable.
    """
    context.obj = path


@main.group()
def quarantine() -> None:
    """Look at held messages, and decide what becomes of them."""


quarantine.add_command(list_held)
