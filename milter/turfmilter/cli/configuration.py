"""What both programs say of their configuration, and how they leave when it cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

EX_CONFIG = 78

config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("/etc/turfmilter/turfmilter.toml"),
    show_default=True,
    help="The configuration file.",
)


def leave(program: str, problems: object, code: int) -> NoReturn:
    """Say each of the problems on a line of its own, and end the program with `code`."""
    for line in str(problems).splitlines():
        click.echo(f"{program}: {line}", err=True)
    sys.exit(code)
