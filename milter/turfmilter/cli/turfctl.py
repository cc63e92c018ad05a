"""turfctl: the administrator's tool."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from turfmilter import __version__
from turfmilter.cli.program import EX_NOT_DONE, config_option, leave
from turfmilter.cli.streams import prepare_output
from turfmilter.core.escape import escape
from turfmilter.daemon.background import occupy_standard_descriptors


class _Program(click.Group):
    """Lists its commands in the order in which they were added, and reports in one line what cannot be done.

    A command is imported when it is looked up.
    """

    def main(self, *given: Any, **options: Any) -> Any:
        # Otherwise a file of the quarantine could get the number of a standard stream, and with it Python's errors.
        occupy_standard_descriptors()
        if sys.stdout is None:
            leave("turfctl", "standard output is closed, so that nothing can be shown; nothing was done", EX_NOT_DONE)
        prepare_output()
        try:
            return super().main(*given, **options)
        except OSError as error:
            leave("turfctl", escape(f"{error.filename}: {error.strerror}"), EX_NOT_DONE)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        from turfmilter.cli.commands import COMMANDS

        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        from turfmilter.cli.commands import command

        return command(name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not near:
                raise
            raise click.UsageError(
                f'there is no command "{escape(args[0])}"; "{near[0]}" was probably meant', ctx
            ) from None

    def invoke(self, ctx: click.Context) -> object:
        # Here, because after the command the process may be another user, who cannot read modules.
        from turfmilter.cli.commands import report

        try:
            done = super().invoke(ctx)
            sys.stdout.flush()  # at the end of the program, an error could not be reported
            return done
        except Exception as error:  # noqa: BLE001 - raises it again if it is none of those expected
            report(error)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(__version__, "-V", "--version", prog_name="turfctl")
@click.pass_context
def main(context: click.Context, path: Path) -> None:
    """Review what turfmilter has held, and show what it is doing.

    Exit status: 0 done, 1 nothing found or not everything done, 2 usage error, 78 configuration or quarantine unusable.
    """
    from turfmilter.cli.commands import started

    context.obj = started(path)
