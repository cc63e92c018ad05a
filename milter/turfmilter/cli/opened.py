"""From the configuration to the quarantines, as their owner: what every command about held messages begins with."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from turfmilter.cli.starting import last_good
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.core.ports import Clock
from turfmilter.daemon import identity
from turfmilter.review.administrator import Administrator, quarantine_user
from turfmilter.review.quarantines import Quarantines
from turfmilter.review.recorder import Recorder
from turfmilter.stores.ledger import Ledger
from turfmilter.stores.opened import OpenMaildir, Place, Unopenable
from turfmilter.telemetry.sink import GivingUp, Syslog

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


_FEW = 500  # so many take no time that anybody would notice

T = TypeVar("T")

directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="One quarantine of several; by default all that the configuration names.",
)


@dataclass(frozen=True, slots=True)
class Started:
    """How turfctl was started: with which configuration, and by whom, which is asked before it becomes the owner."""

    path: Path
    by: Administrator
    clock: Clock

    def configuration(self) -> Config:
        """The configuration; while its files are broken the copy of what was in force last, with a warning.

        For a copy root becomes the filter's user.  Raises ConfigError when there is none.
        """
        try:
            return load(self.path)
        except ConfigError as broken:
            config, since = last_good(self.path, broken)
            for sentence in (
                f"the files are broken; using the copy of {since}",
                *broken.problems,
            ):
                click.echo(f"turfctl: warning: {sentence}", err=True)
            return config

    def sound(self) -> Config:
        """The configuration in the files.  Raises ConfigError when they are broken.

        A table is edited only if this succeeds: the daemon would not load the edit otherwise.
        """
        try:
            return load(self.path)
        except ConfigError as broken:
            first = "no table is edited while files are broken; fix this first:"
            raise ConfigError((first, *broken.problems)) from None


@contextmanager
def opened(config: Config, directory: Path | None) -> Iterator[Quarantines]:
    """The quarantines; root becomes their owner first.  Raises NoOwner and Unopenable."""
    paths = _chosen(config, directory)
    owner = _become_owner(config)
    with ExitStack() as stack:
        maildirs = [stack.enter_context(OpenMaildir(path)) for path in paths]
        if owner:
            _require_owner(maildirs, owner)
        yield stack.enter_context(Quarantines(maildirs, lambda files: watched(files, "Reading held messages")))


def watched(things: Sequence[T], label: str) -> Iterable[T]:
    """The things one by one; a progress bar shows how far it is, where somebody is there to see it."""
    if len(things) < _FEW or sys.stderr is None or not sys.stderr.isatty():
        yield from things
        return
    with click.progressbar(things, label=label, file=sys.stderr) as bar:
        yield from bar


class Recorders:
    """Who writes down what the administrator does: one for each quarantine, for as long as the program runs.

    A syslog that takes nothing is waited for once, whatever is done to how many messages.
    """

    def __init__(self, started: Started) -> None:
        self._who, self._now = started.by, started.clock.now
        self._syslog = GivingUp(Syslog(), lambda said: click.echo(f"turfctl: warning: {said}", err=True))
        self._of: dict[OpenMaildir, Recorder] = {}

    def of(self, maildir: OpenMaildir) -> Recorder:
        """The one of `maildir`."""
        if maildir not in self._of:
            self._of[maildir] = Recorder(Ledger(maildir.root), self._syslog, self._who, self._now)
        return self._of[maildir]

    def expect(self, places: Iterable[Place]) -> None:
        """Messages whose lines in the ledgers will be asked for: each ledger is then read once."""
        ids: dict[OpenMaildir, list[str]] = defaultdict(list)
        for place in places:
            ids[place.maildir].append(place.file.id)
        for maildir, some in ids.items():
            self.of(maildir).expect(some)


def _chosen(config: Config, directory: Path | None) -> tuple[Path, ...]:
    if not config.directories:
        raise Unopenable("no quarantine: the configuration has no [turf] directory")
    if directory is None:
        return config.directories
    if directory not in config.directories:
        known = ", ".join(map(str, config.directories))
        wrong = f"{directory} is no quarantine of the configuration; there is {known}"
        raise click.BadParameter(wrong, param_hint="--directory")
    return (directory,)


def _become_owner(config: Config) -> str:
    """Whom root has become; "" when not root.  Nothing that is found in a quarantine says who that is."""
    if os.geteuid() != 0:
        return ""
    owner = quarantine_user(config.user)
    identity.become(owner)
    return owner


def _require_owner(maildirs: Iterable[OpenMaildir], owner: str) -> None:
    """Raises Unopenable for a directory that is not `owner`'s: another was put in its place, or it is misconfigured."""
    for maildir in maildirs:
        uid = os.fstat(maildir.root).st_uid
        if uid != os.geteuid():
            wrong = f"belongs to the uid {uid}, and not to the filter's user {owner}"
            raise Unopenable(f"quarantine {maildir.path}: {wrong}; see user in the configuration")
