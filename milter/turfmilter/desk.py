"""Builds what turfctl needs, without what only the daemon needs: rules, name lookups, and the interface to the MTA.

It is the part of the composition root that is loaded for every command, so it is kept small.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.core.held.message import Unopenable
from turfmilter.core.ports import Progress
from turfmilter.review.administrator import Administrator
from turfmilter.review.observation import Observation
from turfmilter.review.quarantines import Quarantines
from turfmilter.review.recorder import Recorders
from turfmilter.review.turftable import TurfTable
from turfmilter.stores.files import rewrite
from turfmilter.stores.journal import JournalDirectory
from turfmilter.stores.lastgood import LastGood, NoCopy, NotKept
from turfmilter.stores.messages import MaildirMessages
from turfmilter.stores.opened import OpenMaildir
from turfmilter.stores.retention import RetentionState, read_clocks
from turfmilter.telemetry.sink import GivingUp, Syslog


class SystemClock:
    """Implements ports.Clock with the system's clock, in UTC."""

    def today(self) -> date:
        """The current date in UTC."""
        return datetime.now(UTC).date()

    def now(self) -> datetime:
        """The current time in UTC, with its time zone."""
        return datetime.now(UTC)


@contextmanager
def open_quarantines(directories: Iterable[Path], progress: Progress, *, owner: str = "") -> Iterator[Quarantines]:
    """Open quarantines for review; `progress` is shown the messages that must be read first.

    Raises Unopenable, also if one of the directories does not belong to this process's user, the `owner`: it was
    replaced, or it is misconfigured.  Without `owner` that is not checked.
    """
    with ExitStack() as stack:
        maildirs = [stack.enter_context(OpenMaildir(path)) for path in directories]
        for maildir in maildirs:
            if owner and maildir.owner != os.geteuid():
                wrong = f"belongs to the uid {maildir.owner}, and not to the filter's user {owner}"
                raise Unopenable(f"quarantine {maildir.path}: {wrong}; see user in the configuration")
        yield Quarantines([stack.enter_context(MaildirMessages(maildir, progress)) for maildir in maildirs])


def build_recorders(who: Administrator, warn: Callable[[str], None]) -> Recorders:
    """Return what writes down the acts of `who`, and sends them to syslog; `warn` is told once if syslog fails."""
    return Recorders(GivingUp(Syslog(), warn), who, SystemClock().now)


def build_observation(config: Config) -> Observation:
    """Read the clocks once more, and return what this host knows about the age of messages."""
    return Observation(RetentionState(config.state), read_clocks)


def open_journal(directory: Path) -> JournalDirectory:
    """Return the journal in `directory` for reading."""
    return JournalDirectory(directory)


def build_turf_table(path: Path, by: str) -> TurfTable:
    """Return the table in the file `path` for editing; `by` is who edits it."""
    return TurfTable(path, by, rewrite)


def load_copy(path: Path, state: Path, broken: ConfigError) -> tuple[Config, datetime]:
    """Return the configuration `path`, which is `broken`, from its copy in `state`, and since when it was in force.

    Raises ConfigError: `broken` if there is no copy, with one more problem if the copy cannot be used.  Root must not
    call this: the copy belongs to the filter's user, who could make root read other users' files.
    """
    try:
        copy = LastGood(state).read(path.absolute())
        return load(path, kept=copy.texts, today=SystemClock().today()), copy.since
    except NotKept:
        raise broken from None
    except NoCopy as error:
        unusable = str(error)
    except ConfigError as error:
        unusable = f"the copy in {state} cannot be used: {error.problems[0]}"
    raise ConfigError((*broken.problems, unusable), broken.files, broken.rest)
