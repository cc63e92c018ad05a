"""turfctl quarantine list: what is held, message by message or counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.output import json_option, table
from turfmilter.cli.selecting import selecting
from turfmilter.core.escape import escape
from turfmilter.review.fate import fates, state
from turfmilter.review.history import Histories
from turfmilter.review.quarantines import Quarantines
from turfmilter.stores.index import By
from turfmilter.stores.ledger import LedgerError, Line
from turfmilter.stores.openmaildir import Place
from turfmilter.stores.rows import Held
from turfmilter.stores.selection import Selection

_COLUMNS = ("id", "held", "state", "sender", "subject")


@click.command("list")
@selecting()
@click.option(
    "--group-by", "by", type=click.Choice(get_args(By)), help="Count the messages by what they have in common."
)
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="At most so many; 0: all.")
@json_option
@directory_option
@click.pass_obj
def list_held(
    started: Started, selection: Selection, by: By | None, limit: int, as_json: bool, directory: Path | None
) -> None:
    """List held messages, the newest first.

    Those that are deleted are left out, unless --state asks for them.  All conditions must hold.
    """
    with opened(started.configuration(), directory) as quarantines:
        rows, total = _groups(quarantines, selection, by, limit) if by else _messages(quarantines, selection, limit)
    if not total:
        click.echo("turfctl: no message matches" if not as_json else "[]", err=not as_json)
        raise click.exceptions.Exit(1)
    if as_json:
        table(rows, (), as_json=True)
        return
    columns = (by, "count", "last") if by else _COLUMNS
    table(rows if by else list(map(_shown, rows)), columns, as_json=False)
    if any(row.get("doubt") for row in rows):
        click.echo("!  not what was held: turfctl quarantine show ID says why", err=True)
    if len(rows) < total:
        click.echo(f"{len(rows)} of {total}; --limit 0 shows all", err=True)


def facts(held: Held, lines: Iterable[Line]) -> dict[str, Any]:
    """A message as a row of a table, and as JSON; `lines` are those of the ledger about it."""
    summary, file = held.summary, held.place.file
    return {
        "id": file.id,
        "directory": str(held.place.maildir.path),
        "held": summary.time,
        "state": state(file, summary.recipients, fates(lines)),
        "size": summary.size,
        "sender": summary.sender,
        "authors": summary.authors,
        "recipients": summary.recipients,
        "client": summary.client,
        "name": summary.name,
        "rule": summary.rule,
        "entry": summary.entry,
        "subject": summary.subject,
        "doubt": summary.doubt,
    }


def ledger_lines(places: Iterable[Place]) -> Callable[[Place], Sequence[Line]]:
    """Gives the lines about each of the messages; none, after a warning, where the ledger cannot be read."""
    try:
        return Histories(places).of
    except LedgerError as error:
        click.echo(f"turfctl: warning: {escape(str(error))}; what was released is not known", err=True)
        return lambda _: ()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """As people see it at a glance."""
    mark = "!" if row["doubt"] else ""
    return row | {"state": row["state"] + mark, "sender": "<>" if row["sender"] == "" else row["sender"]}


def _messages(quarantines: Quarantines, selection: Selection, limit: int) -> tuple[list[dict[str, Any]], int]:
    found = quarantines.newest(selection, limit)
    lines = ledger_lines(held.place for held in found)
    return [facts(held, lines(held.place)) for held in found], quarantines.count(selection)


def _groups(quarantines: Quarantines, selection: Selection, by: By, limit: int) -> tuple[list[dict[str, Any]], int]:
    groups = quarantines.groups(selection, by)
    shown = groups[: limit or None]
    return [{by: group.value, "count": group.count, "last": group.last} for group in shown], len(groups)
