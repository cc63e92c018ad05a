"""The command turfctl status: shows the daemon's status to people, programs and monitoring."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.health import Files, Severity, Trouble, broken, findings, line, look_at_files, worst
from turfmilter.cli.opened import Started, warn_on_stderr
from turfmilter.cli.output import Row, document, json_option, table
from turfmilter.cli.program import leave
from turfmilter.config.textfile import TextFileError, read_text
from turfmilter.review.layout import local_time
from turfmilter.telemetry.metric import exposition
from turfmilter.telemetry.metrics import METRICS

_PROGRAM, _EX_TROUBLE = "turfctl", 1
_COLUMNS = ("pid", "generation", "state", "age", "open", "served", "cpu", "memory")
_MAX_STATUS_BYTES = 16 << 20  # 16 MiB: far more than any status has, but small enough to read into memory
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
# The exceptions that occur if the status was not written by turfmilter.
_ABSURD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Unknown(Exception):
    """There is no usable status; the text says why, `level` how severe that is."""

    def __init__(self, level: Severity, why: str) -> None:
        super().__init__(why)
        self.level = level


@dataclass(frozen=True, slots=True)
class _Seen:
    """The daemon's status (None if there is no usable one), the problems found, and the text to show."""

    said: dict[str, Any] | None
    found: list[Trouble]
    line: str
    above: Sequence[str] = ()
    workers: Sequence[Row] = ()
    below: Sequence[str] = ()
    metrics: str = ""


@click.command("status")
@json_option
@click.option(
    "--check",
    is_flag=True,
    help="Print one line for monitoring; exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, as for Nagios.",
)
@click.option("--prometheus", is_flag=True, help="Print the metrics in Prometheus' text format, and nothing else.")
@click.pass_obj
def status(started: Started, as_json: bool, check: bool, prometheus: bool) -> None:
    """Show what the daemon is doing.

    Exits 1 if the daemon is not running, its status file is stale, or anything else is wrong, such as an error in
    the configuration or a table that would make the next start fail.
    """
    files = look_at_files(started.path)
    seen = _seen(files, started.clock.now())
    if check:
        click.echo(_printable(seen.line))
        raise click.exceptions.Exit(int(worst(seen.found)))
    if seen.said and prometheus:
        click.echo(seen.metrics, nl=False)
    elif seen.said:
        document(seen.said) if as_json else _show(seen)
    if files.unread:
        warn_on_stderr(_printable(files.unread))
    if seen.found:
        leave(_PROGRAM, "\n".join(_printable(one.sentence) for one in seen.found), _EX_TROUBLE)


def _seen(files: Files, now: datetime) -> _Seen:
    try:
        said = _read(files.status)
        found, workers = findings(said, files, now), [_worker(one) for one in said["workers"]]
        return _Seen(said, found, line(found, said), [*_summary(said)], workers, [*_history(said)], _metrics(said))
    except _Unknown as unknown:
        found = [Trouble(unknown.level, str(unknown))]
    except _ABSURD:
        found = [Trouble(Severity.UNKNOWN, f"{files.status}: not a status file of turfmilter")]
    if files.problems:
        found.append(Trouble(Severity.WARNING, broken(files.problems)))
    return _Seen(None, found, line(found, None))


def _read(file: Path | None) -> dict[str, Any]:
    """The status in `file`.  Raises _Unknown if there is none, and one of _ABSURD if it is not a JSON object."""
    if file is None:
        raise _Unknown(Severity.UNKNOWN, 'status reporting is disabled (status = "")')
    try:
        return dict(json.loads(read_text(file, _MAX_STATUS_BYTES)))
    except TextFileError as error:
        with suppress(PermissionError):
            if not file.exists():
                why = "no status file: either turfmilter is not running, or it could not write the file; see its log"
                raise _Unknown(Severity.CRITICAL, f"{file}: {why}") from None
        raise _Unknown(Severity.UNKNOWN, str(error)) from None


def _metrics(said: dict[str, Any]) -> str:
    """The text of the metrics file.  What is not a sample is left out: only a forged status has such keys."""
    samples = {str(name): float(value) for name, value in said.get("metrics", {}).items()}
    text = exposition(METRICS, samples)
    return "".join(f"{_printable(one)}\n" for one in text.splitlines())


def _show(seen: _Seen) -> None:
    for one in seen.above:
        click.echo(_printable(one))
    click.echo()
    table(seen.workers, _COLUMNS, as_json=False)
    for one in seen.below:
        click.echo(_printable(one))


def _history(said: dict[str, Any]) -> Iterator[str]:
    if said["reloads_failed"]:
        yield ""
        yield f"reloads that failed: {said['reloads_failed']}"
    for one in said["problems"]:
        yield f"{local_time(one['time'])} {one['problem']}"


def _summary(said: dict[str, Any]) -> Iterator[str]:
    yield f"turfmilter {said['version']}, process {said['pid']}, started {local_time(said['started'])}"
    yield f"mode         {said['mode']}"
    yield f"socket       {said['socket']}"
    yield f"engine       {said.get('protocol_engine', 'libmilter')}"
    yield f"generation   {said['generation']}, since {local_time(said['generation_since'])}"
    open_, served, minute = (said[f"sessions_{what}"] for what in ("open", "served", "last_minute"))
    yield f"connections  {open_} open, {served} in all, {minute} in the last minute"
    if asked := said["names_known"] + said["names_asked"]:
        yield f"names        {said['names_known'] / asked:.0%} of {asked} known without asking DNS"
    if said["log_lines_dropped"]:
        yield f"log          {said['log_lines_dropped']} lines dropped"
    for one in said["quarantines"]:
        room = one.get("problem") or f"{_bytes(one['free_bytes'])} of {_bytes(one['total_bytes'])} free"
        yield f"quarantine   {one['directory']}: {room}"


def _worker(one: dict[str, Any]) -> Row:
    return {
        "pid": one["pid"],
        "generation": one["generation"],
        "state": one["state"] if one["answering"] else "no answer",
        "age": timedelta(seconds=one["age_seconds"]),
        "open": one.get("open", "-"),
        "served": one.get("served", "-"),
        "cpu": f"{one.get('cpu_seconds', 0):.1f} s",
        "memory": _bytes(one.get("pss", 0)),
    }


def _bytes(number: int) -> str:
    return next((f"{number / size:.1f} {unit}" for size, unit in _UNITS if number >= size), f"{number} bytes")


def _printable(line: str) -> str:
    """`line` with every character replaced that could hide, reverse or control text on a terminal."""
    return "".join(char if char.isprintable() else "?" for char in line)
