"""turfctl list and stats."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any, get_args

import click

from turfmilter.cli.opened import Started, directory_option, opened, warn_on_stderr
from turfmilter.cli.options import selecting
from turfmilter.cli.output import document, json_option, screen
from turfmilter.cli.streams import displayed_encoding
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError, Line
from turfmilter.core.held.message import State
from turfmilter.core.held.selection import OPEN, By, Group, Selection
from turfmilter.core.ports import Clock
from turfmilter.review.fate import fates, state
from turfmilter.review.layout import Row, counted, ellipsis_in, heading, legend, lines
from turfmilter.review.quarantines import Found, Place, Quarantines
from turfmilter.review.recorder import Histories


@click.command("list")
@selecting(states=OPEN)
@click.option("--all", "everything", is_flag=True, help="Also list released and deleted messages.")
@click.option(
    "--group-by",
    "by",
    type=click.Choice(get_args(By)),
    metavar="WHAT",
    help=f"Count the messages by what they have in common: {', '.join(get_args(By))}.",
)
@click.option(
    "--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Show at most this many; 0 shows all."
)
@json_option
@directory_option
@click.pass_obj
def list_held(
    started: Started,
    selection: Selection,
    everything: bool,
    by: By | None,
    limit: int,
    as_json: bool,
    directory: Path | None,
) -> None:
    """List the messages that are still open, the newest first.

    Open messages are those that were neither released nor deleted.  A message must meet all conditions.
    """
    if everything and selection.states != OPEN:
        raise click.UsageError("--all and --state exclude each other")
    if everything:
        selection = replace(selection, states=frozenset(State))
    with opened(started.configuration(tables=False), directory) as quarantines:
        if by:
            total = _list_groups(started.clock, quarantines, selection, by, limit, as_json=as_json)
        else:
            total = _list_messages(started.clock, quarantines, selection, limit, as_json=as_json)
        others = 0 if total else quarantines.count(replace(selection, states=frozenset(State)))
    if not total:
        none = _none(selection, others)
        click.echo(f"turfctl: {none}" if not as_json else "[]", err=not as_json)
        raise click.exceptions.Exit(1)
    if total > limit > 0 and not as_json:
        click.echo(f"{limit} of {total}; --limit 0 shows all", err=True)


def _none(selection: Selection, others: int) -> str:
    """Return a sentence about a list without messages, although there are `others` in other states."""
    unconditional = selection == Selection(states=selection.states)
    if unconditional and not others:
        return "the quarantine is empty"
    none = "no open messages" if unconditional and selection.states == OPEN else "no message matches"
    return f"{none}; --all lists {counted(others)} in other states" if others else none


def _list_messages(clock: Clock, quarantines: Quarantines, selection: Selection, limit: int, *, as_json: bool) -> int:
    found = quarantines.newest(selection, limit)
    lines = ledger_lines(one.place for one in found)
    if as_json and found:
        document([facts(one, lines(one.place)) for one in found])
    elif found:
        list_rows(clock, [row(one, lines(one.place)) for one in found])
    return quarantines.count(selection)


def _list_groups(
    clock: Clock, quarantines: Quarantines, selection: Selection, by: By, limit: int, *, as_json: bool
) -> int:
    groups = quarantines.groups(selection, by)
    shown = groups[: limit or None]
    if as_json and shown:
        document([{by: group.value, "count": group.count, "last": group.last} for group in shown])
    elif shown:
        groups_table(clock, by, shown)
    return len(groups)


def facts(found: Found, lines: Iterable[Line]) -> dict[str, Any]:
    """Return a message as JSON has it; `lines` are those of the ledger about it."""
    summary, message = found.summary, found.place.message
    return {
        "id": message.id,
        "directory": message.quarantine,
        "held": summary.time,
        "state": state(message, summary.recipients, fates(lines)).value,
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


def row(found: Found, lines: Iterable[Line]) -> Row:
    """Return a message as lists show it; `lines` are those of the ledger about it."""
    summary, message = found.summary, found.place.message
    return Row(
        id=message.id,
        held=summary.time,
        size=summary.size,
        state=state(message, summary.recipients, fates(lines)).value,
        sender=summary.sender,
        authors=summary.authors,
        recipients=summary.recipients,
        subject=summary.subject,
        doubt=bool(summary.doubt),
    )


def list_rows(clock: Clock, rows: Sequence[Row], *, err: bool = False) -> None:
    """Print messages as `list` does, with an explanation of their flags on standard error."""
    on = screen(clock)
    for line in [*heading(on), *(line for one in rows for line in lines(one, on))]:
        click.echo(line, err=err)
    if explained := legend(rows):
        click.echo(explained, err=True)


def groups_table(clock: Clock, by: str, groups: Iterable[Group]) -> None:
    """Print one line for each group: how many, when the last was held, and what they have in common."""
    on = screen(clock)
    click.echo(f"{'COUNT':>{_COUNT}}  {f'LAST ({on.zone})':{_LAST}}  {by.upper()}")
    for group in groups:
        line = f"{group.count:>{_COUNT}}  {on.moment(group.last):{_LAST}}  {on.displayable(group.value)}"
        click.echo(on.fit(line.rstrip(), on.columns))


def ledger_lines(places: Iterable[Place]) -> Callable[[Place], Sequence[Line]]:
    """Return a function for the lines about each message; without lines, after a warning, if a ledger is unreadable."""
    try:
        return Histories(places).of
    except LedgerError as error:
        warn_on_stderr(f"{escape(str(error))}; what was released is not known")
        return lambda _: ()


_COUNT, _LAST = 6, 12  # columns of a number of messages, and of a time
_EIGHTHS = " ▏▎▍▌▋▊▉"
_BUSIEST = 10


@click.command("stats")
@selecting(states=frozenset(State))
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="Number of days up to today.")
@json_option
@directory_option
@click.pass_obj
def stats(started: Started, selection: Selection, days: int, as_json: bool, directory: Path | None) -> None:
    """Count held messages by day and by entry.

    All messages that still exist are counted, including deleted ones.  Days are those of this host, with --json of UTC.
    """
    zone = UTC if as_json else None
    with opened(started.configuration(tables=False), directory) as quarantines:
        total, held = quarantines.count(selection), quarantines.days(selection, zone)
        groups = quarantines.groups(selection, "entry")
    today = started.clock.now().astimezone(zone).date()
    counts = {day: held[day] for day in (today - timedelta(days=ago) for ago in reversed(range(days)))}
    rows = [{"entry": group.value, "count": group.count, "last": group.last} for group in groups]
    if as_json:
        document({"total": total, "days": {str(day): count for day, count in counts.items()}, "entries": rows})
        return
    _plot(counts)
    click.echo()
    groups_table(started.clock, "entry", groups[:_BUSIEST])
    click.echo(f"\n{total} held in all")


def _plot(counts: dict[date, int]) -> None:
    """Print one line for each day; the longest bar fills the terminal."""
    most = max(counts.values())
    digits = len(str(most))
    blocks = ellipsis_in(displayed_encoding()) != "~"  # an encoding that has neither has no blocks either
    room = max(shutil.get_terminal_size().columns - len("2026-03-01  ") - digits - 2, 10)
    for day, count in counts.items():
        eighths = round(8 * room * count / most) if most else 0
        bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8] if blocks else "#" * (eighths // 8)
        click.echo(f"{day}  {count:>{digits}}  {bar}".rstrip())
