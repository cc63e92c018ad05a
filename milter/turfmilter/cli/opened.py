"""From the configuration to the quarantine, as its owner: what every command about held messages begins with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from turfmilter.config.loader import load
from turfmilter.config.schema import Config
from turfmilter.daemon import identity
from turfmilter.review.administrator import owner
from turfmilter.stores.openmaildir import OpenMaildir, Unopenable

directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="One quarantine of several; by default all that the configuration names.",
)


@contextmanager
def quarantines(config: Config, directory: Path | None) -> Iterator[tuple[OpenMaildir, ...]]:
    """The quarantines, opened; root becomes their owner first.  Raises NoOwner and Unopenable."""
    paths = _chosen(config, directory)
    _become_owner(paths)
    with ExitStack() as opened:
        yield tuple(opened.enter_context(OpenMaildir(path)) for path in paths)


def configuration(path: Path) -> Config:
    """The configuration in `path`; its warnings are the daemon's to say.  Raises ConfigError."""
    return load(path)


def _chosen(config: Config, directory: Path | None) -> tuple[Path, ...]:
    if not config.directories:
        raise Unopenable("no quarantine: the configuration has no [turf] directory")
    if directory is None:
        return config.directories
    if directory not in config.directories:
        known = ", ".join(map(str, config.directories))
        raise click.BadParameter(
            f"{directory} is no quarantine of the configuration; there is {known}", param_hint="--directory"
        )
    return (directory,)


def _become_owner(paths: tuple[Path, ...]) -> None:
    if os.geteuid() != 0:
        return
    try:
        identity.become(owner(paths))
    except OSError as error:
        raise Unopenable(f"quarantine {error.filename}: {error.strerror}") from error
