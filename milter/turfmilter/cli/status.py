"""turfctl status: what the daemon says of itself."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from turfmilter.config.schema import Config

_STALE = timedelta(seconds=60)  # it is written every few seconds
_COLUMNS = ("pid", "generation", "state", "age", "open", "served", "cpu", "memory")
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def status(path: Path, as_json: bool) -> None:
    """Show what the daemon is doing.  Exit status 1: it does not run, or has stopped saying so."""
    file = _status_file(path)
    if file is None:
        _leave('status = "": this daemon does not say what it does')
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if as_json:
            click.echo(json.dumps(said, indent=2))
        else:
            for line in _lines(said):
                click.echo("".join(char if char.isprintable() else "?" for char in line))
        trouble = _trouble(said)
    except FileNotFoundError:
        _leave(f"turfmilter does not run: there is no {file}")
    except OSError as error:
        _leave(f"{file}: cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError):
        _leave(f"{file}: not what turfmilter writes")
    if trouble:
        _leave(trouble)


def _status_file(path: Path) -> Path | None:
    """The file that the configuration names.  Nothing else of it need be right: then it is asked for most."""
    try:
        named = tomllib.loads(path.read_text(encoding="utf-8")).get("status")
    except (OSError, ValueError):
        named = None
    if named is None:
        return Config().status
    return Path(str(named)) if named else None


def _trouble(said: dict[str, Any]) -> str:
    """Why what was said is not so any more, or ""."""
    pid, written = int(said["pid"]), datetime.fromisoformat(said["written"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return f"turfmilter does not run: process {pid} has gone, this was its last word"
    except PermissionError:
        pass  # it is another user's, so it lives
    if datetime.now(UTC) - written > _STALE:
        return f"process {pid} has not said anything since {said['written']}"
    return ""


def _lines(said: dict[str, Any]) -> Iterator[str]:
    yield f"turfmilter {said['version']}, process {said['pid']}, started {said['started']}"
    yield f"mode         {said['mode']}"
    yield f"socket       {said['socket']}"
    yield f"generation   {said['generation']}, since {said['generation_since']}"
    open_, served, minute = (said[f"sessions_{what}"] for what in ("open", "served", "last_minute"))
    yield f"connections  {open_} open, {served} in all, {minute} in the last minute"
    if asked := said["names_known"] + said["names_asked"]:
        yield f"names        {said['names_known'] / asked:.0%} of {asked} known without asking DNS"
    if said["log_lines_dropped"]:
        yield f"log          {said['log_lines_dropped']} lines dropped"
    for one in said["quarantines"]:
        room = one.get("problem") or f"{_bytes(one['free_bytes'])} of {_bytes(one['total_bytes'])} free"
        yield f"quarantine   {one['directory']}: {room}"
    yield ""
    yield from _table([_COLUMNS, *map(_worker, said["workers"])])
    if said["problems"]:
        yield ""
        yield f"reloads that failed: {said['reloads_failed']}"
        yield from (f"{one['time']} {one['problem']}" for one in said["problems"])


def _worker(one: dict[str, Any]) -> tuple[str, ...]:
    state = one["state"] if one["answering"] else "no answer"
    figures = (str(one.get("open", "")), str(one.get("served", "")), f"{one.get('cpu_seconds', 0):.1f} s")
    memory = _bytes(one.get("pss", 0))
    return str(one["pid"]), str(one["generation"]), state, str(timedelta(seconds=one["age_seconds"])), *figures, memory


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _bytes(number: int) -> str:
    return next((f"{number / size:.1f} {unit}" for size, unit in _UNITS if number >= size), f"{number} bytes")


def _leave(sentence: str) -> NoReturn:
    click.echo(f"turfctl: {sentence}", err=True)
    sys.exit(1)
