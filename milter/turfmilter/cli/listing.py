"""turfctl quarantine list, stats and digest."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any, get_args

import click

from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.options import ago, selecting
from turfmilter.cli.output import document, json_option, table
from turfmilter.config.sections.quarantine import ReleaseConfig
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.escape import escape
from turfmilter.mta.smtp import NextHop, send
from turfmilter.review.digest import digest
from turfmilter.review.fate import fates, state
from turfmilter.review.quarantines import Quarantines
from turfmilter.review.recorder import Histories
from turfmilter.stores.index import By
from turfmilter.stores.ledger import LedgerError, Line
from turfmilter.stores.opened import Place, State
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
    today = started.clock.today()
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


@click.command("digest")
@click.option("--newer", "since", callback=ago, metavar="AGE", default="1d", help="Held less than this ago: 12h, 7d.")
@click.option("--mail", "to", metavar="ADDRESS", help="Mail it there, instead of printing it.")
@directory_option
@click.pass_obj
def digest_held(started: Started, since: datetime, to: str | None, directory: Path | None) -> None:
    """Say what was held lately: new senders first, by entry, with the command that releases each.

    Nothing is mailed when nothing was held.
    """
    config = started.configuration()
    with opened(config, directory) as quarantines:
        text = digest(quarantines, since)
    if to is None:
        click.echo(text or "nothing was held")
    elif text:
        mail(config.release, to, text, started.clock.now())


def mail(release: ReleaseConfig, to: str, text: str, now: datetime) -> None:
    """Give the MTA a letter to the administrator.  Raises NotSent and Unknown."""
    letter = EmailMessage()
    letter["From"] = f"turfmilter <{to}>"
    letter["To"] = to
    letter["Subject"] = f"turfmilter: {text.partition('.')[0].lower()}"
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = make_msgid(domain=release.helo)
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no vacation program answers
    letter.set_content(text)
    hop = NextHop(release.host, release.port, release.helo)
    recipient = Addressed(to)
    data = letter.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    reply = send(hop, Addressed(""), [recipient], data, lambda _: None).replies[recipient]
    if not reply.startswith("2"):
        raise click.ClickException(f"{to}: {reply}")
