"""turfctl show and export."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.listing import facts, ledger_lines
from turfmilter.cli.opened import Started, directory_option, opened, recorders
from turfmilter.cli.options import chosen, each, ids_argument, selecting
from turfmilter.cli.output import document, json_option, moment, table
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import Line
from turfmilter.core.held.message import NewerFormat
from turfmilter.core.held.selection import Selection
from turfmilter.core.report import Slip
from turfmilter.review.contents import Contents
from turfmilter.review.fate import Fate, fates, state
from turfmilter.review.look import Look, header, look, mark_reviewed, message
from turfmilter.review.mbox import mbox
from turfmilter.review.quarantines import Found, Place
from turfmilter.review.recorder import said

_HEADERS = ("from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id")
_MAX_LINE_BYTES = 65_536  # bytes escaped at once


@click.command("show")
@click.argument("id")
@click.option("--headers", is_flag=True, help="Show only the header of the message, all fields decoded.")
@click.option(
    "--raw",
    is_flag=True,
    help="Show the message as received, byte for byte; on a terminal, control characters are escaped.",
)
@click.option("--mark", is_flag=True, help="Mark it reviewed: it is then kept for keep_reviewed instead of keep.")
@json_option
@directory_option
@click.pass_obj
def show(
    started: Started, id: str, headers: bool, raw: bool, mark: bool, as_json: bool, directory: Path | None
) -> None:
    """Show a held message.  The beginning of its ID is sufficient.  Nothing is changed unless --mark is given.

    HTML is not rendered, and characters that would reverse, hide or control text are shown as \\x1b, \\u202e.
    """
    if headers + raw + as_json > 1:
        raise click.UsageError("--headers, --raw and --json exclude each other")
    config = started.configuration()
    with opened(config, directory) as quarantines:
        place = quarantines.find(id)
        if raw:
            _raw(place)
        elif headers:
            _headers(place)
        elif as_json:
            document(_facts(place, look(place, config, started.clock.today()), ledger_lines([place])(place)))
        else:
            _print(place, look(place, config, started.clock.today()), ledger_lines([place])(place))
        if mark:
            try:
                mark_reviewed(place, recorders(started).of(place.quarantine))
            except NewerFormat as error:
                click.echo(f"turfctl: warning: not marked reviewed: {escape(str(error))}", err=True)


def _print(place: Place, seen: Look, lines: Sequence[Line]) -> None:
    for name, value in _circumstances(place, seen, lines):
        click.echo(f"{name:<10} {escape(value)}")
    click.echo()
    for field in seen.contents.header.fields:
        if field.name.lower() in _HEADERS:
            click.echo(f"{field.name}: {escape(field.text)}")
    click.echo()
    _print_text(seen.contents)
    _print_parts(seen.contents)


def _circumstances(place: Place, seen: Look, lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    summary, known = seen.summary, fates(lines)
    yield "id", place.message.id
    yield "state", state(place.message, summary.recipients, known)
    yield "held", f"{moment(summary.time)} UTC"
    yield "in", place.message.quarantine
    yield "size", f"{summary.size} bytes"
    if summary.doubt:
        yield "CAUTION", summary.doubt
    if seen.slip:
        yield from _envelope(seen.slip, known)
        yield from _reasons(seen.slip, seen.standing)
    for line in lines:
        yield "ledger", f"{line.time} {said(line)}"


def _envelope(slip: Slip, known: Mapping[str, Fate]) -> Iterator[tuple[str, str]]:
    yield "sender", _party(slip.sender)
    for recipient in slip.recipients:
        fate = known.get(recipient.address)
        yield "recipient", f"{_party(recipient)}{f' ({fate.value})' if fate else ''}"


def _reasons(slip: Slip, standing: str) -> Iterator[tuple[str, str]]:
    for name in ("client", "name", "helo", "account", "listener", "queue_id", "rule"):
        if value := getattr(slip, name):
            yield name.replace("_", " "), value
    if slip.entry:
        yield "entry", f"{slip.entry}{f' ({standing})' if standing else ''}"


def _party(party: Addressed) -> str:
    return " ".join((party.text or "<>", *party.parameters))


def _print_text(contents: Contents) -> None:
    if contents.text is None:
        click.echo("(no part is plain text; HTML is not shown; --raw shows the message as received)")
        return
    for line in contents.text.replace("\r\n", "\n").split("\n"):
        click.echo(escape(line.expandtabs()))
    if not contents.text_complete:
        click.echo("(cut here; --raw shows the message to its end)")


def _print_parts(contents: Contents) -> None:
    if contents.count < 2 and contents.text is not None:
        return
    click.echo()
    rows = [{"type": part.type, "size": part.size, "name": part.name or " "} for part in contents.parts]
    table(rows, ("type", "size", "name"), as_json=False)
    if contents.count > len(rows):
        click.echo(f"({contents.count - len(rows)} more parts)")
    if not contents.understood:
        click.echo(
            "(the descriptions of the parts are too long: the last ones were not read; --raw shows the whole message)"
        )


def _headers(place: Place) -> None:
    found = header(place)
    for field in found.fields:
        click.echo(f"{field.name}: {escape(field.text)}")
    if not found.complete:
        click.echo("(cut here; --raw shows the message to its end)")


def _raw(place: Place) -> None:
    with message(place) as (opened, _):
        file = opened.file
        if not sys.stdout.isatty():
            shutil.copyfileobj(file, sys.stdout.buffer)
            return
        while line := file.readline(_MAX_LINE_BYTES):
            click.echo(escape(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")))


def _facts(place: Place, seen: Look, lines: Sequence[Line]) -> dict[str, Any]:
    contents, slip = seen.contents, seen.slip
    envelope = (
        {"sender": slip.sender._asdict(), "recipients": [one._asdict() for one in slip.recipients]} if slip else None
    )
    return facts(Found(place, seen.summary), lines) | {
        "envelope": envelope,
        "releases": {recipient: fate.value for recipient, fate in fates(lines).items()},
        "ledger": [asdict(line) for line in lines],
        "standing": seen.standing,
        "headers": [[field.name, field.text] for field in contents.header.fields],
        "text": contents.text,
        "parts": [{"type": part.type, "size": part.size, "name": part.name} for part in contents.parts],
        "part_count": contents.count,
        "parts_understood": contents.understood,
    }


@click.command("export")
@ids_argument
@selecting(optional=True)
@directory_option
@click.pass_obj
def export(started: Started, ids: tuple[str, ...], selection: Selection | None, directory: Path | None) -> None:
    """Write held messages as an mbox.

    Lines of turfmilter's own are left out.  Lines that begin with From are quoted with ">" (mboxrd).  No message is
    marked reviewed.
    """
    if sys.stdout.isatty():
        raise click.UsageError("an mbox could harm a terminal; write it to a file: turfctl export … > FILE")
    with opened(started.configuration(), directory) as quarantines:
        each(chosen(quarantines, ids, selection), "exported", _write)


def _write(place: Place) -> None:
    with message(place) as (opened, slip):
        sender = slip.sender.address if slip else ""
        time = slip.time if slip else opened.written
        for piece in mbox(opened.file, sender, time):
            sys.stdout.buffer.write(piece)
