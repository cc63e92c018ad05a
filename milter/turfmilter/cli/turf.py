"""turfctl turf: show, add and remove single entries of the turf table."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import click

from turfmilter.cli.allowing import Add, Answer
from turfmilter.cli.journalled import since_option
from turfmilter.cli.opened import Started, warn_on_stderr
from turfmilter.cli.options import confirmed, dry_run_option, yes_option
from turfmilter.cli.output import json_option, table
from turfmilter.cli.program import leave
from turfmilter.cli.tidying import stats, tidy
from turfmilter.config.loader import ConfigError, every_turf_file, turf_files
from turfmilter.config.schema import Config
from turfmilter.core.address.addressed import bare
from turfmilter.core.address.readings import read_senders
from turfmilter.core.escape import escape, shell_word
from turfmilter.core.measure import MeasureError, parse_span
from turfmilter.core.table.entry import Entry, listed
from turfmilter.core.wrapped import match_sender
from turfmilter.desk import build_turf_table
from turfmilter.review.turftable import AlreadyThere, NotEdited, doubts, meaning

_COLUMNS = ("entry", "expires", "by", "why", "where")
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)+")
_SOON = "the daemon applies it within 10 seconds"


def until(context: click.Context, _option: click.Parameter, value: str | None) -> date | None:
    """Callback of an option: return the last day of a span that begins today, such as "90d" or "12w"."""
    if value is None:
        return None
    started: Started = context.obj
    try:
        span = parse_span(value)
        if span % timedelta(days=1):
            raise click.BadParameter(f'"{value}" is not a number of whole days; entries expire at the end of a day')
        return started.clock.today() + span
    except MeasureError as error:
        raise click.BadParameter(escape(f'"{value}" {error}')) from None
    except OverflowError:
        raise click.BadParameter(f"{value} from now is not a valid date") from None


_table_option = click.option(
    "--table",
    "chosen",
    type=click.Path(path_type=Path),
    help="One of the files in [turf] tables.  [default: the first]",
)


@click.group()
def turf() -> None:
    """Show and edit the turf table."""


@turf.command()
@click.argument("entry")
@click.option(
    "--for", "expires", callback=until, metavar="SPAN", help="How long it is valid: 90d, 12w.  [default: permanently]"
)
@click.option("--why", default="", help="The reason, noted beside the entry.")
@click.option(
    "--try", "trying", is_flag=True, help="Only show what the entry would have done with the mail in the journal."
)
@since_option
@_table_option
@yes_option
@dry_run_option
@click.pass_obj
def add(
    started: Started,
    entry: str,
    expires: date | None,
    why: str,
    trying: bool,
    since: datetime,
    chosen: Path | None,
    yes: bool,
    dry_run: bool,
) -> None:
    """Add ENTRY to the turf table.

    ENTRY is written as in the table, such as @spam.example, or !boss@spam.example for an exception; it is added at the
    end.  With a journal, the mail of the last two days that has been delivered in spite of it is listed.
    """
    # Imported here: no other command about the turf table needs the rules.
    from turfmilter.cli.trying import delivered_lately, try_entry

    edited = build_turf_table(_file(started, chosen), started.by.login)
    try:
        edited.require_addable(entry, started.clock.today(), expires=expires, why=why)
        for doubt in doubts(entry):
            warn_on_stderr(doubt)
        if trying:
            try_entry(started, entry, since)
        _ask(f'"{entry}"', f"added to {edited.path}", yes=yes, dry_run=dry_run)
        added, warnings = edited.add(entry, started.clock.today(), expires=expires, why=why)
    except (NotEdited, AlreadyThere) as error:
        leave("turfctl", error, 1)
    for warning in warnings:
        warn_on_stderr(warning)
    means = meaning(added)
    click.echo(f"{escape(str(added))}: added; {_SOON}" + (f"\n{means}" if means else ""))
    for line in delivered_lately(started, entry, added):
        click.echo(line)


@turf.command()
@click.argument("entry")
@_table_option
@yes_option
@dry_run_option
@click.pass_obj
def remove(started: Started, entry: str, chosen: Path | None, yes: bool, dry_run: bool) -> None:
    """Remove ENTRY from the turf table."""
    edited = build_turf_table(_file(started, chosen), started.by.login)
    try:
        edited.require_removable(entry)
        _ask(f'"{entry}"', f"removed from {edited.path}", yes=yes, dry_run=dry_run)
        gone = edited.remove(entry)
    except NotEdited as error:
        leave("turfctl", error, 1)
    for one in gone:
        click.echo(f"{escape(str(one))}: removed; {_SOON}")


@turf.command("list")
@click.argument("text", default="", metavar="[TEXT]")
@json_option
@click.pass_obj
def list_entries(started: Started, text: str, as_json: bool) -> None:
    """List the entries of all turf tables.

    With TEXT, only those that contain it.
    """
    rows = [_row(entry, started.clock.today()) for entry in _entries(started.configuration(), text)]
    if not rows and not as_json:
        leave("turfctl", "no such entry", 1)
    table(rows, _COLUMNS, as_json=as_json)


def _address(_context: click.Context, _argument: click.Parameter, value: str) -> str:
    """Callback of an argument that is an address: refuse a domain or an entry, about which "not listed" would be wrong.

    A name without a domain, such as "root", is an address: the MTA accepts it.
    """
    local, at, domain = value.rpartition("@")
    if local in ("", "=") and _DOMAIN.fullmatch(domain):
        meant = f"anyone@{domain}"
    elif at and not domain:
        meant = f"{local}@domain.example"
    else:
        return value
    raise click.BadParameter(
        escape(f'"{value}" is not an address; check one such as {meant}, or list entries: turfctl turf list {value}')
    )


@turf.command()
@click.argument("sender", callback=_address)
@json_option
@click.pass_obj
def check(started: Started, sender: str, as_json: bool) -> None:
    """Show which entry decides about SENDER.

    SENDER is an address, such as news@shop.example, or "<>" for the empty sender.  If there are sections for listeners,
    the answer is shown for each of them.
    """
    config = started.configuration()
    rows = [_decision(config, name, sender, started.clock.today()) for name in ("", *config.listener)]
    columns = ("listener", "verdict", "entry", "where") if config.listener else ("verdict", "entry", "where")
    table(rows, columns, as_json=as_json)


turf.add_command(stats)
turf.add_command(tidy)


def exception_adder(started: Started, config: Config, expires: date | None) -> Add:
    """Return a function that adds an exception to the first turf table of a listener ("": the general one).

    `config` is that of started.sound().  Raises ConfigError if there is no table to edit, and NotEdited if this user
    cannot write to one.
    """
    _require_editable(started, config)
    files = {name: turf_files(config, name) for name in ("", *config.listener)}
    tables = {name: build_turf_table(some[0], started.by.login) for name, some in files.items() if some}
    for editable in tables.values():
        editable.require_writable()

    def add(listener: str, entry: str, why: str) -> Answer:
        if listener not in tables:
            where = f"[listener.{listener}.turf]" if listener else "[turf]"
            return Answer(False, f"{escape(entry)} was not added: tables of {where} names no file to edit")
        try:
            added, _ = tables[listener].add(entry, started.clock.today(), expires=expires, why=why)
        except AlreadyThere as there:
            return Answer(True, str(there))
        except NotEdited as error:
            return Answer(False, str(error))
        undo = f"turfctl turf remove {shell_word(added.text)}"
        return Answer(True, f"{escape(str(added))}: added; undo it with: {undo}")

    return add


def _decision(config: Config, name: str, sender: str, today: date) -> dict[str, object]:
    mailboxes = read_senders(sender)
    entry = match_sender(config.at(name).turf.tables, mailboxes, today)
    verdict = "listed" if listed(entry) else "not listed"
    said = {"entry": entry.text, "where": str(entry.where)} if entry else {"entry": "", "where": ""}
    return {"listener": name or "(all others)", "sender": f"<{bare(str(mailboxes[0]))}>", "verdict": verdict, **said}


def _entries(config: Config, text: str) -> list[Entry]:
    tables = (config.turf.tables, *(listener.turf.tables for listener in config.listener.values()))
    found = {(entry.where, entry.text): entry for one in tables for entry in one.holding(text)}
    return sorted(found.values(), key=lambda entry: (entry.where.source, entry.where.line))


def _row(entry: Entry, today: date) -> dict[str, object]:
    over = "" if entry.valid_on(today) else " (over)"
    return {
        "entry": entry.text,
        "expires": f"{entry.expires}{over}" if entry.expires else "",
        "by": entry.by,
        "why": entry.why,
        "where": str(entry.where),
    }


def _require_editable(started: Started, config: Config) -> None:
    """Raise ConfigError if no turf table is a file."""
    if not every_turf_file(config):
        raise ConfigError((f'{started.path}: no file to edit; set [turf] tables = ["file:turf.table"]',))


def _file(started: Started, chosen: Path | None) -> Path:
    config = started.sound()
    _require_editable(started, config)
    files = every_turf_file(config)
    if chosen is None:
        return files[0]
    for file in files:
        if chosen in (file, Path(file.name)) or (chosen.exists() and file.exists() and chosen.samefile(file)):
            return file
    known = ", ".join(map(str, files))
    raise click.BadParameter(
        f"{chosen} is not a turf table in the configuration; choose from {known}", param_hint="--table"
    )


def _ask(entry: str, done: str, *, yes: bool, dry_run: bool) -> None:
    """Return if it is to be done; with --dry-run, or if the answer is no, the program ends."""
    if dry_run:
        click.echo(escape(f"{entry} would be {done}"))
        raise click.exceptions.Exit(0)
    confirmed(escape(f"{entry} will be {done}"), yes=yes)
