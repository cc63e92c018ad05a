"""Judges the daemon's health from its status file and from the files that the next start will read."""

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
from turfmilter.review.layout import full_time, local_time

_STALE = timedelta(seconds=60)  # the status is written every two seconds
_MAX_LINE_CHARACTERS = 1000  # characters of the line for monitoring
# Performance data in the line for monitoring; "c" marks counters, which only grow (Nagios plugin guidelines).
_FIGURES = {"sessions_open": "", "sessions_served": "c", "sessions_last_minute": "", "reloads_failed": "c"}


class Severity(IntEnum):
    """Severity of a finding; the values are the exit statuses that Nagios and compatible monitors expect."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Trouble(NamedTuple):
    """One problem, as a sentence for the administrator with its severity."""

    level: Severity
    sentence: str


class Files(NamedTuple):
    """The state of the configuration and tables: their problems, and where the daemon writes its status.

    `status` is None if status reporting is disabled.  `unread` is a sentence if this user cannot read all files, so
    that they were not checked.
    """

    problems: tuple[str, ...]
    status: Path | None
    unread: str = ""


def look_at_files(path: Path) -> Files:
    """Load the configuration in the file `path` as a start would, and return what is wrong with it."""
    try:
        return Files((), load(path).status)
    except ConfigError as error:
        readable = error.readable(("status",))
        status = readable.status if readable else _glimpsed_status(path)
        closed = next((file for file in (path, *error.files) if _closed(file)), None)
        if closed:
            return Files((), status, f"{closed} cannot be read by {identity.name()}, so the files are not checked")
        return Files(error.problems, status)


def findings(said: Mapping[str, Any], files: Files, now: datetime) -> list[Trouble]:
    """The problems shown by the status `said` and by `files` at the time `now`.

    Raises LookupError, TypeError, ValueError and others if `said` was not written by turfmilter.
    """
    return [*_of_process(said, now), *_of_files(said, files), *_of_service(said)]


def broken(problems: tuple[str, ...]) -> str:
    """The problems of the files in one sentence: the first, and the number of the others."""
    more = f" (and {len(problems) - 1} more: turfmilter -t)" if len(problems) > 1 else ""
    return f"the files are broken: {problems[0]}{more}"


def line(found: list[Trouble], said: Mapping[str, Any] | None) -> str:
    """The line for monitoring, with performance data if the daemon's status could be read."""
    level = worst(found)
    text = "; ".join(one.sentence for one in sorted(found, key=lambda one: -one.level))
    if not text and said:
        text = f"generation {said['generation']}, {said['sessions_open']} connections open"
    # Monitors parse everything after a "|" as performance data.
    text = shortened(text, _MAX_LINE_CHARACTERS).replace("|", "/")
    figures = [f"{name}={int(said[name])}{unit}" for name, unit in _FIGURES.items()] if said else []
    return f"TURFMILTER {level.name} - {text}" + (f" | {' '.join(figures)}" if figures else "")


def worst(found: list[Trouble]) -> Severity:
    """The highest severity among the findings; OK if there are none."""
    return max((one.level for one in found), default=Severity.OK)


def _of_process(said: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    """Problems that make the status outdated: its process has ended, or no longer writes it."""
    pid, written = int(said["pid"]), datetime.fromisoformat(said["written"])
    if pid <= 0:  # kill() would address process groups
        raise ValueError("not a process id")
    try:
        os.kill(pid, 0)  # signal 0 only checks that the process exists (kill(2))
    except ProcessLookupError:
        last = f"turfmilter is not running: process {pid} has ended; this is its last report"
        yield Trouble(Severity.CRITICAL, last)
        return
    except PermissionError:
        pass  # the process exists, but belongs to another user
    if now - written > _STALE:
        yield Trouble(Severity.CRITICAL, f"process {pid} has not reported since {full_time(written)}")


def _of_files(said: Mapping[str, Any], files: Files) -> Iterator[Trouble]:
    """Problems of the files, as found by this process or else, if it cannot read them, by the daemon."""
    since, by_daemon = str(said.get("copy_since", "")), tuple(map(str, said.get("broken", ())))
    problems = files.problems or by_daemon
    if since:
        reason = broken(problems) if problems else "the files are fixed and are being loaded"
        yield Trouble(Severity.CRITICAL, f"running from the copy of the generation of {local_time(since)}; {reason}")
    elif problems:
        yield Trouble(Severity.WARNING, f"{broken(problems)}; generation {said['generation']} stays in force")


def _of_service(said: Mapping[str, Any]) -> Iterator[Trouble]:
    workers = [(one["pid"], one["state"], one["answering"]) for one in said["workers"]]
    if not any(state == "serving" and answering for _, state, answering in workers):
        yield Trouble(Severity.CRITICAL, "no worker accepts connections")
    for pid, state, answering in workers:
        if not answering:
            yield Trouble(Severity.WARNING, f"worker {pid} does not answer")
        elif state == "full":
            yield Trouble(Severity.WARNING, f"worker {pid} has too many open files to accept connections")
    for one in said["quarantines"]:
        if "problem" in one:
            yield Trouble(Severity.CRITICAL, f"quarantine {one['directory']}: {one['problem']}")
    # An older daemon, still running after an upgrade, writes neither.
    for warning in (*said.get("quarantine_warnings", ()), *said.get("alarms", ())):
        yield Trouble(Severity.WARNING, str(warning))


def _glimpsed_status(path: Path) -> Path | None:
    named = glimpsed(path).get("status", str(Config().status))
    return Path(named) if isinstance(named, str) and named else None


def _closed(path: Path) -> bool:
    """True if the file may exist but this user cannot read it."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(path, os.R_OK)
