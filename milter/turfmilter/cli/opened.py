"""Opening the quarantines in the configuration, as their owner: every command about held messages begins here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from turfmilter.cli.fallback import last_good
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.core.held.message import Unopenable
from turfmilter.core.ports import Clock
from turfmilter.daemon import identity
from turfmilter.desk import build_recorders, open_quarantines
from turfmilter.review.administrator import Administrator, quarantine_user
from turfmilter.review.layout import full_time
from turfmilter.review.quarantines import Quarantines
from turfmilter.review.recorder import Recorders

_FEW = 500  # fewer need no progress bar

T = TypeVar("T")
Warn = Callable[[str], None]  # given a sentence, which is escaped


def warn_on_stderr(sentence: str) -> None:
    """Print a warning on standard error."""
    click.echo(f"turfctl: warning: {sentence}", err=True)


directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Use only this quarantine.  [default: all quarantines in the configuration]",
)


class NoJournal(Exception):
    """There is nothing to read; the text says why, and what to do."""


class NoTransaction(Exception):
    """The journal has no such message; the text says how far back it reaches."""


@dataclass(frozen=True, slots=True)
class Started:
    """How turfctl was started: the path of the configuration, and by whom, determined before it changes its user."""

    path: Path
    by: Administrator
    clock: Clock

    def configuration(self, *, tables: bool = True, warn: Warn = warn_on_stderr) -> Config:
        """Return the configuration; if its files are broken, the copy of the last good one, after a warning.

        With `tables` False, tables are not read, see `load`; then a broken table does not matter, and a large one costs
        nothing.  To read the copy, root switches to the filter's user.  Raises ConfigError if there is no copy.
        """
        try:
            return load(self.path, tables=tables)
        except ConfigError as broken:
            config, since = last_good(self.path, broken)
            for sentence in (f"the files are broken; using the copy of {full_time(since)}", *broken.problems):
                warn(sentence)
            return config

    def readable(self, warn: Warn = warn_on_stderr) -> Config:
        """Return the configuration; if only tables are broken, without them, after a warning.

        If its keys are broken, see `configuration`.  Raises ConfigError.
        """
        try:
            return load(self.path)
        except ConfigError as broken:
            try:
                config = load(self.path, tables=False)
            except ConfigError:
                return self.configuration(warn=warn)
            warn(f"tables are not read, because one is broken: {broken.problems[0]}")
            return config

    def sound(self) -> Config:
        """Return the configuration in the files.  Raises ConfigError if they are broken.

        A table is edited only if this succeeds: the daemon would not load the edit otherwise.
        """
        try:
            return load(self.path)
        except ConfigError as broken:
            first = "no table is edited while files are broken; fix this first:"
            raise ConfigError((first, *broken.problems)) from None


@contextmanager
def opened(config: Config, directory: Path | None) -> Iterator[Quarantines]:
    """Open the quarantines; root switches to their owner first.  Raises NoOwner and Unopenable."""
    paths = _chosen(config, directory)
    owner = become_owner(config)
    with open_quarantines(paths, lambda files: watched(files, "Reading held messages"), owner=owner) as quarantines:
        yield quarantines


def watched(things: Sequence[T], label: str) -> Iterable[T]:
    """Yield the things one by one, with a progress bar on a terminal if there are many."""
    if len(things) < _FEW or sys.stderr is None or not sys.stderr.isatty():
        yield from things
        return
    with click.progressbar(things, label=label, file=sys.stderr) as bar:
        yield from bar


def recorders(started: Started, warn: Warn = warn_on_stderr) -> Recorders:
    """Return what records the acts of the user who started the program.

    A syslog that fails is reported once: to `warn`, by default on standard error.
    """
    return build_recorders(started.by, warn)


def _chosen(config: Config, directory: Path | None) -> tuple[Path, ...]:
    if not config.directories:
        raise Unopenable("no quarantine: the configuration has no [turf] directory")
    if directory is None:
        return config.directories
    if directory not in config.directories:
        known = ", ".join(map(str, config.directories))
        wrong = f"{directory} is not a quarantine in the configuration; choose from {known}"
        raise click.BadParameter(wrong, param_hint="--directory")
    return (directory,)


def become_owner(config: Config) -> str:
    """Switch from root to the filter's user and return that name; "" if not root.  The quarantine has no say in it."""
    if os.geteuid() != 0:
        return ""
    owner = quarantine_user(config.user)
    identity.become(owner)
    return owner
