"""Whether all is well with the daemon: by what it says of itself, and by the files that the next start will read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from turfmilter.config.loader import ConfigError, glimpsed, load
from turfmilter.config.schema import Config
from turfmilter.core.escape import shortened
from turfmilter.daemon import identity

_STALE = timedelta(seconds=60)  # it is written every few seconds
_LONGEST = 1000  # characters of the line for monitoring
# Said of the daemon in the line for monitoring, as performance data; those with "c" only ever grow.
_FIGURES = {"sessions_open": "", "sessions_served": "c", "sessions_last_minute": "", "reloads_failed": "c"}


class Level(IntEnum):
    """How bad it is; the values are the exit statuses that Nagios and its like expect."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Finding(NamedTuple):
    """One sentence for the administrator."""

    level: Level
    sentence: str


class Files(NamedTuple):
    """The files as the next start will find them: what is wrong with them, and where the daemon writes its status.

    `unread` says that this user may not read all of them, so that nothing is known.
    """

    problems: tuple[str, ...]
    status: Path | None
    unread: str = ""


def look_at_files(path: Path) -> Files:
    """Load the configuration in the file `path`, as a start does."""
    try:
        return Files((), load(path).status)
    except ConfigError as error:
        readable = error.readable(("status",))
        status = readable.status if readable else _glimpsed_status(path)
        closed = next((file for file in (path, *error.files) if _closed(file)), None)
        if closed:
            return Files((), status, f"{closed} cannot be read by {identity.name()}, so the files are not checked")
        return Files(error.problems, status)


def findings(said: Mapping[str, Any], files: Files, now: datetime) -> list[Finding]:
    """What is not as it should be.  Raises what comes of text that turfmilter has not written."""
    return [*_of_process(said, now), *_of_files(said, files), *_of_service(said)]


def broken(problems: tuple[str, ...]) -> str:
    """The problems of the files in one sentence: the first of them stands for all."""
    more = f" (and {len(problems) - 1} more: turfmilter -t)" if len(problems) > 1 else ""
    return f"the files are broken: {problems[0]}{more}"


def line(found: list[Finding], said: Mapping[str, Any] | None) -> str:
    """The line for monitoring, with performance data where there is any."""
    level = worst(found)
    text = "; ".join(one.sentence for one in sorted(found, key=lambda one: -one.level))
    if not text and said:
        text = f"generation {said['generation']}, {said['sessions_open']} connections open"
    # What stands behind a "|" would be taken for figures.
    text = shortened(text, _LONGEST).replace("|", "/")
    figures = [f"{name}={int(said[name])}{unit}" for name, unit in _FIGURES.items()] if said else []
    return f"TURFMILTER {level.name} - {text}" + (f" | {' '.join(figures)}" if figures else "")


def worst(found: list[Finding]) -> Level:
    """How bad all of it is."""
    return max((one.level for one in found), default=Level.OK)


def _of_process(said: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    """Why what was said is not so any more."""
    pid, written = int(said["pid"]), datetime.fromisoformat(said["written"])
    if pid <= 0:
        raise ValueError("no process id")
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        last = f"turfmilter does not run: process {pid} has gone, this was its last word"
        yield Finding(Level.CRITICAL, last)
        return
    except PermissionError:
        pass  # it is another user's, so it lives
    if now - written > _STALE:
        yield Finding(Level.CRITICAL, f"process {pid} has not said anything since {said['written']}")


def _of_files(said: Mapping[str, Any], files: Files) -> Iterator[Finding]:
    """What is wrong with the files by our own look, or by the daemon's where we may not look."""
    since, by_daemon = str(said.get("copy_since", "")), tuple(map(str, said.get("broken", ())))
    problems = files.problems or by_daemon
    if since:
        reason = broken(problems) if problems else "the files are being taken now"
        yield Finding(Level.CRITICAL, f"runs from the copy of the generation of {since}; {reason}")
    elif problems:
        yield Finding(Level.WARNING, f"{broken(problems)}; generation {said['generation']} stays in force")


def _of_service(said: Mapping[str, Any]) -> Iterator[Finding]:
    workers = [(one["pid"], one["state"], one["answering"]) for one in said["workers"]]
    if not any(state == "serving" and answering for _, state, answering in workers):
        yield Finding(Level.CRITICAL, "no worker takes connections")
    for pid, state, answering in workers:
        if not answering:
            yield Finding(Level.WARNING, f"worker {pid} does not answer")
        elif state == "full":
            yield Finding(Level.WARNING, f"worker {pid} has too many files open to take connections")
    for one in said["quarantines"]:
        if "problem" in one:
            yield Finding(Level.CRITICAL, f"quarantine {one['directory']}: {one['problem']}")
    # An older daemon has neither.
    for warning in (*said.get("quarantine_warnings", ()), *said.get("alarms", ())):
        yield Finding(Level.WARNING, str(warning))


def _glimpsed_status(path: Path) -> Path | None:
    named = glimpsed(path).get("status", str(Config().status))
    return Path(named) if isinstance(named, str) and named else None


def _closed(path: Path) -> bool:
    """True when it may well be there, and we may not read it."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(path, os.R_OK)
