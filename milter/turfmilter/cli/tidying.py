"""turfctl turf stats and tidy: what entries are worth, and removing those that are worth nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from turfmilter.cli.journalled import journal, require_journal, warn_of_skipped
from turfmilter.cli.opened import Started, warn_on_stderr
from turfmilter.cli.options import confirmed, dry_run_option, yes_option
from turfmilter.cli.output import json_option, table
from turfmilter.cli.program import leave
from turfmilter.config.descent import open_file
from turfmilter.config.loader import every_turf_file
from turfmilter.config.schema import Config
from turfmilter.core.escape import escape
from turfmilter.core.measure import MeasureError, parse_span
from turfmilter.core.table.entry import Entry
from turfmilter.core.table.senders import SenderTable
from turfmilter.desk import build_turf_table
from turfmilter.review.parallel import in_parallel
from turfmilter.review.turftable import NotEdited
from turfmilter.review.worth import Matches, Worth, matches, may_name_an_entry, worth

_COLUMNS = ("entry", "last", "1d", "7d", "30d", "by", "why", "where", "state")
_PROPOSED = ("entry", "last", "by", "why", "where", "state")
_ADDED = re.compile(r"# (\d{4}-\d\d-\d\d)\s*$")  # see review/turftable.py
_MONTH = timedelta(days=30)


@click.command("stats")
@click.option("--dead", is_flag=True, help="Only entries that have expired, never decide, or have not matched.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Show at most this many; 0 shows all."
)
@json_option
@click.pass_obj
def stats(started: Started, dead: bool, limit: int, as_json: bool) -> None:
    """Show how often each entry of the turf table has matched.

    The numbers are those of the journal, for 1, 7 and 30 days.  Whether an exception has matched is not recorded.
    """
    config = started.configuration()
    found, begins = _worth(started, config, _MONTH)
    if begins and begins > started.clock.now() - _MONTH:
        warn_on_stderr(f"the journal begins at {begins:%Y-%m-%d %H:%M} UTC; what was before that is not known")
    if dead:
        found = [one for one in found if one.dead or not (one.matches.last or one.entry.exception)]
    found.sort(key=lambda one: (-one.matches.month, one.entry.where.source, one.entry.where.line))
    if not found and not as_json:
        leave("turfctl", "no such entry", 1)
    table([_row(one) for one in found[: limit or None]], _COLUMNS, as_json=as_json)
    if len(found) > limit > 0 and not as_json:
        click.echo(f"{limit} of {len(found)}; --limit 0 shows all", err=True)


@click.command("tidy")
@click.option("--unused", metavar="SPAN", help="Also entries that have not matched for that long: 45d, 12w.")
@yes_option
@dry_run_option
@click.pass_obj
def tidy(started: Started, unused: str | None, yes: bool, dry_run: bool) -> None:
    """Remove entries of the turf table that have expired or never decide.

    They are shown first, and removed once you confirm it.  With --unused, also entries that have not matched for that
    long; the journal must reach back as far.  Exceptions are kept, because whether one has matched is not recorded.
    """
    config = started.sound()
    now = started.clock.now()
    span = _span(unused) if unused else None
    if span:
        found, begins = _worth(started, config, span)
        if begins is None or begins > now - span:
            reaches = f"the journal begins at {begins:%Y-%m-%d %H:%M} UTC" if begins else "the journal is empty"
            leave("turfctl", f"{reaches}, which is less than {unused} ago, so what is unused is not known", 1)
    else:
        found = list(worth(_tables(config), {}, now))
    since = now - span if span else None
    editable = {path.name: path for path in every_turf_file(config)}
    age = _Ages(editable)
    proposed = [(one, why) for one in found if (why := _why(one, since, age))]
    removable = [(one, why) for one, why in proposed if one.entry.where.source in editable]
    for one, _ in proposed:
        if one.entry.where.source not in editable:
            warn_on_stderr(escape(f"{one.entry}: is not in a file, so it must be removed by hand"))
    if not removable:
        click.echo("nothing to remove")
        return
    table([{**_row(one), "state": why} for one, why in removable], _PROPOSED, as_json=False)
    what = "1 entry" if len(removable) == 1 else f"{len(removable)} entries"
    if dry_run:
        click.echo(f"{what} would be removed")
        return
    confirmed(f"{what} will be removed", yes=yes)
    _remove(started, editable, [one.entry for one, _ in removable])
    click.echo(f"{what} removed; the daemon applies it within 10 seconds")


class _Ages:
    """How old entries are at least: by the day that `turf add` writes after each, and by when their file changed."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._lines: dict[str, list[str]] = {}
        self._changed: dict[str, float] = {}
        for name, path in files.items():
            with os.fdopen(open_file(path), "rb") as file:
                self._changed[name] = os.fstat(file.fileno()).st_mtime
                self._lines[name] = file.read().decode(errors="replace").split("\n")

    def may_be_newer(self, entry: Entry, since: datetime) -> bool:
        """Return True if the entry may have been added after `since`."""
        name, number = entry.where.source, entry.where.line
        if name not in self._lines or self._changed[name] < since.timestamp():
            return False
        dated = _ADDED.search(self._lines[name][number - 1])
        return dated is None or dated[1] >= f"{since:%Y-%m-%d}"


def _remove(started: Started, files: Mapping[str, Path], entries: Iterable[Entry]) -> None:
    for name, path in files.items():
        of_this = [entry for entry in entries if entry.where.source == name]
        if of_this:
            try:
                build_turf_table(path, started.by.login).remove_exactly(of_this)
            except NotEdited as error:
                leave("turfctl", error, 1)


def _worth(started: Started, config: Config, span: timedelta) -> tuple[list[Worth], datetime | None]:
    """Return what each entry is worth, and since when the journal knows.  Raises NoJournal."""
    now = started.clock.now()

    def read() -> tuple[dict[str, Matches], datetime | None, dict[str, int]]:
        found = journal(config)
        counted = matches(found.oldest(now - max(span, _MONTH), may_name_an_entry), now)
        return dict(counted), found.begins(), dict(found.skipped)

    # In a child, because root reads the journal as the filter's user, and edits the table as itself.
    require_journal(config)
    ((counted, begins, skipped),) = in_parallel([read])
    warn_of_skipped(skipped)
    return list(worth(_tables(config), counted, now)), begins


def _tables(config: Config) -> list[SenderTable]:
    return [config.turf.tables, *(listener.turf.tables for listener in config.listener.values())]


def _why(one: Worth, since: datetime | None, ages: _Ages) -> str:
    """Return why an entry is to be removed, "" if it is not."""
    if one.dead or since is None or one.entry.exception or ages.may_be_newer(one.entry, since):
        return one.dead
    last = one.matches.last
    return "" if last and last >= since else f"last matched {last:%Y-%m-%d}" if last else "has not matched"


def _row(one: Worth) -> dict[str, object]:
    entry, found = one.entry, one.matches
    return {
        "entry": entry.text,
        "last": f"{found.last.astimezone(UTC):%Y-%m-%d}" if found.last else "",
        "1d": found.day,
        "7d": found.week,
        "30d": found.month,
        "by": entry.by,
        "why": entry.why,
        "where": str(entry.where),
        "state": one.dead,
    }


def _span(text: str) -> timedelta:
    try:
        return parse_span(text)
    except MeasureError as error:
        raise click.BadParameter(escape(f'"{text}" {error}'), param_hint="--unused") from None
