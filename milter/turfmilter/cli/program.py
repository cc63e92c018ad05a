"""What both programs have in common: the option that names the configuration, and how they report what failed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

EX_NOT_DONE = 1
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
    """Print each line of `problems`, and end the program with exit status `code`."""
    for line in str(problems).splitlines():
        click.echo(f"{program}: {line}", err=True)
    sys.exit(code)
