"""turfctl status: what the daemon says of itself."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.configuration import leave
from turfmilter.cli.opened import Started
from turfmilter.cli.output import Row, document, json_option, table
from turfmilter.config.descent import open_file
from turfmilter.config.schema import Config

_PROGRAM, _EX_NOT_RUNNING = "turfctl", 1
_STALE = timedelta(seconds=60)  # it is written every few seconds
_COLUMNS = ("pid", "generation", "state", "age", "open", "served", "cpu", "memory")
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@click.command("status")
@json_option
@click.pass_obj
def status(started: Started, as_json: bool) -> None:
    """Show what the daemon is doing.  Exit status 1: it does not run, or has stopped saying so."""
    file = _status_file(started.path)
    if file is None:
        leave(_PROGRAM, 'status = "": this daemon does not say what it does', _EX_NOT_RUNNING)
    try:
        with os.fdopen(open_file(file), encoding="utf-8", errors="replace") as opened:
            text = opened.read()
    except FileNotFoundError:
        why = "turfmilter does not run, or its log says why this cannot be written"
        leave(_PROGRAM, f"{file}: {why}", _EX_NOT_RUNNING)
    except OSError as error:
        leave(_PROGRAM, f"{file}: cannot be read: {error.strerror}", _EX_NOT_RUNNING)
    try:
        said = json.loads(text)
        if as_json:
            document(said)
        else:
            _show(said)
        trouble = _trouble(said)
    except (ValueError, KeyError, TypeError):
        trouble = f"{file}: not what turfmilter writes"
    if trouble:
        leave(_PROGRAM, trouble, _EX_NOT_RUNNING)


def _status_file(path: Path) -> Path | None:
    """The file that the configuration names.  Nothing else of it need be right: then it is asked for most."""
    try:
        with os.fdopen(open_file(path), encoding="utf-8") as file:
            named = tomllib.loads(file.read()).get("status")
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


def _show(said: dict[str, Any]) -> None:
    for line in _summary(said):
        click.echo(_printable(line))
    click.echo()
    table([_worker(one) for one in said["workers"]], _COLUMNS, as_json=False)
    if said["reloads_failed"]:
        click.echo(f"\nreloads that failed: {said['reloads_failed']}")
    for one in said["problems"]:
        click.echo(_printable(f"{one['time']} {one['problem']}"))


def _summary(said: dict[str, Any]) -> Iterator[str]:
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
    for warning in said.get("quarantine_warnings", ()):  # an older daemon has none
        yield f"WARNING      {warning}"


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
    """Without what would turn, hide or control text.  It was escaped once, when it was written."""
    return "".join(char if char.isprintable() else "?" for char in line)
