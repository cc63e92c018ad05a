"""Asking before something is changed, the same for every command that does."""

from __future__ import annotations

import sys

import click

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", "-n", is_flag=True, help="Only say what would be done.")


def confirmed(what: str, *, yes: bool) -> None:
    """Returns when people agree to `what`, or have agreed before; otherwise the program ends."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(f"{what}, but there is no terminal to ask for confirmation; use --yes")
    click.confirm(f"{what}. Go on?", abort=True, err=True)


def counted(number: int) -> str:
    """The number of messages in words."""
    return "1 message" if number == 1 else f"{number} messages"
