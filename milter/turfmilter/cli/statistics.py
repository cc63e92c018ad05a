"""turfctl quarantine stats: how much is held, day by day, and because of which entries."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.output import document, json_option, table
from turfmilter.cli.selecting import selecting
from turfmilter.stores.heldfile import State
from turfmilter.stores.selection import Selection

_EIGHTHS = " ▏▎▍▌▋▊▉"
_BUSIEST = 10


@click.command("stats")
@selecting(states=frozenset(State))
@click.option(
    "--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="So many days up to today, UTC."
)
@json_option
@directory_option
@click.pass_obj
def stats(started: Started, selection: Selection, days: int, as_json: bool, directory: Path | None) -> None:
    """Show how many messages were held on each day, and which entries were the busiest.

    All messages that are still there count, deleted ones as well.
    """
    with opened(started.configuration(), directory) as quarantines:
        total, held = quarantines.count(selection), quarantines.days(selection)
        groups = quarantines.groups(selection, "entry")
    today = datetime.now(UTC).date()
    counts = {day: held[day] for day in (today - timedelta(days=ago) for ago in reversed(range(days)))}
    rows = [{"entry": group.value, "count": group.count, "last": group.last} for group in groups]
    if as_json:
        document({"total": total, "days": {str(day): count for day, count in counts.items()}, "entries": rows})
        return
    _plot(counts)
    click.echo()
    table(rows[:_BUSIEST], ("entry", "count", "last"), as_json=False)
    click.echo(f"\n{total} held in all")


def _plot(counts: dict[date, int]) -> None:
    """One line a day, the longest bar as long as the terminal allows."""
    most = max(counts.values())
    digits = len(str(most))
    room = max(shutil.get_terminal_size().columns - len("2026-03-01  ") - digits - 2, 10)
    for day, count in counts.items():
        eighths = round(8 * room * count / most) if most else 0
        bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8]
        click.echo(f"{day}  {count:>{digits}}  {bar}".rstrip())
