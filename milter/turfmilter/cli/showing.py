"""turfctl show."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.listing import facts, ledger_lines
from turfmilter.cli.opened import Started, directory_option, opened, recorders, warn_on_stderr
from turfmilter.cli.output import document, json_option, table
from turfmilter.cli.pager import paged
from turfmilter.cli.program import EX_NOT_DONE, leave
from turfmilter.config.schema import Config
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.address.header import decode
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import Line
from turfmilter.core.held.message import NewerFormat, shown_id
from turfmilter.core.report import Slip
from turfmilter.review.contents import Contents, NoSuchPart, OpenPart, read_part
from turfmilter.review.fate import Fate, fates, state
from turfmilter.review.layout import full_time, human_size, local_time
from turfmilter.review.look import Look, header, look, message, neighbours
from turfmilter.review.marks import mark_reviewed
from turfmilter.review.quarantines import Found, Place, Quarantines
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
@click.option(
    "--part",
    "number",
    type=click.IntRange(min=1),
    help="Show only this part, decoded; parts that are not text are written to a file or a pipe only.",
)
@click.option("--mark", is_flag=True, help="Mark it reviewed: it is then kept for keep_reviewed instead of keep.")
@json_option
@directory_option
@click.pass_obj
def show(
    started: Started,
    id: str,
    headers: bool,
    raw: bool,
    number: int | None,
    mark: bool,
    as_json: bool,
    directory: Path | None,
) -> None:
    """Show a held message.  The beginning of its ID is sufficient.  Nothing is changed unless --mark is given.

    HTML is shown as text, with the targets of its links.  On a terminal, the output goes through $PAGER, or less.
    Characters that would reverse, hide or control text are shown as \\x1b, \\u202e.
    """
    if headers + raw + as_json + (number is not None) > 1:
        raise click.UsageError("--headers, --raw, --part and --json exclude each other")
    # Whether the entry that held the message is still there is shown only beside the circumstances.
    config = started.configuration(tables=False) if headers or raw or number else started.readable()
    with opened(config, directory) as quarantines:
        place = quarantines.find(id)
        if raw:
            _raw(place)
        elif number is not None:
            _part(place, number)
        elif headers:
            with paged():
                _headers(place)
        else:
            print_message(place, config, started.clock.today(), quarantines, as_json=as_json)
        if mark:
            try:
                mark_reviewed(place, recorders(started).of(place.quarantine))
            except NewerFormat as error:
                warn_on_stderr(f"not marked reviewed: {escape(str(error))}")


def print_message(
    place: Place, config: Config, today: date, quarantines: Quarantines, *, as_json: bool = False
) -> None:
    """Print all about one of the messages in `quarantines`, through the pager on a terminal.

    Without tables in `config`, it is left out whether the entry that held the message is still there.
    Raises NotAMessage, LedgerError, FileNotFoundError and OSError.
    """
    seen, lines = look(place, config, today), ledger_lines([place])(place)
    beside = dict(zip(("previous", "next"), neighbours(place, seen.summary.time, quarantines), strict=True))
    if as_json:
        document(_facts(place, seen, lines) | beside)
        return
    with paged():
        _print(place, seen, lines, beside)


def _print(place: Place, seen: Look, lines: Sequence[Line], beside: Mapping[str, str]) -> None:
    for name, value in _circumstances(place, seen, lines):
        click.echo(f"{name:<10} {escape(value)}")
    for name, id in beside.items():
        if id:
            click.echo(f"{name:<10} {shown_id(id)}")
    click.echo()
    for field in seen.contents.header.fields:
        if field.name.lower() in _HEADERS:
            click.echo(f"{field.name}: {escape(field.text)}")
    click.echo()
    for line in text_lines(seen.contents):
        click.echo(line)
    _print_parts(seen.contents)


def _circumstances(place: Place, seen: Look, lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    summary, known = seen.summary, fates(lines)
    yield "id", place.message.id
    yield "state", state(place.message, summary.recipients, known).value
    yield "held", full_time(summary.time)
    if seen.until:
        yield "kept until", full_time(seen.until)
    yield "in", place.message.quarantine
    yield "size", f"{summary.size} bytes"
    if summary.doubt:
        yield "CAUTION", summary.doubt
    if seen.slip:
        yield from _envelope(seen.slip, known)
        yield from _reasons(seen.slip, seen.standing)
    for line in lines:
        yield "ledger", f"{_local(line.time)} {said(line)}"


def _local(time: str) -> str:
    """Return a time of the ledger in the zone of this host; unchanged if it is not one."""
    try:
        return local_time(time)
    except (ValueError, OverflowError):
        return time


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


def text_lines(contents: Contents) -> Iterator[str]:
    """Yield the text of a message in lines, escaped, with a remark if it is not all of it."""
    if contents.text is None:
        yield "(no part is text; turfctl show --part N shows a part, --raw the whole message)"
        return
    if contents.from_html:
        yield "(HTML as text; turfctl show --part N shows its source)"
        yield ""
    for line in contents.text.replace("\r\n", "\n").split("\n"):
        yield escape(line.expandtabs())
    if not contents.text_complete:
        yield "(cut here; --raw shows the message to its end)"


def _print_parts(contents: Contents) -> None:
    if contents.count < 2 and contents.text is not None:
        return
    click.echo()
    rows = [
        {"part": number, "type": part.type, "size": human_size(part.size), "name": part.name or " "}
        for number, part in enumerate(contents.parts, 1)
    ]
    table(rows, ("part", "type", "size", "name"), as_json=False)
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
        with paged():
            while line := file.readline(_MAX_LINE_BYTES):
                click.echo(escape(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")))


def _part(place: Place, number: int) -> None:
    with message(place) as (opened, _):
        try:
            part = read_part(opened.file, number)
        except NoSuchPart as error:
            leave("turfctl", error, EX_NOT_DONE)
        if not sys.stdout.isatty():
            for piece in part.pieces:
                sys.stdout.buffer.write(piece)
            return
        if not part.type.startswith(("text/", "message/")):
            wrong = escape(f"part {number} is {part.type}")
            raise click.UsageError(f"{wrong}, not text; write it to a file: turfctl show --part {number} … > FILE")
        with paged():
            for line in _decoded_lines(part):
                click.echo(escape(line.rstrip("\r\n").expandtabs()))


def _decoded_lines(part: OpenPart) -> Iterator[str]:
    """Yield the text of a part in lines; what is too long for one is cut into several."""
    rest = b""
    for piece in part.pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (decode(line, part.charset) for line in lines)
        if len(rest) > _MAX_LINE_BYTES:
            yield decode(rest, part.charset)
            rest = b""
    if rest:
        yield decode(rest, part.charset)


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
        "kept_until": seen.until,
        "headers": [[field.name, field.text] for field in contents.header.fields],
        "text": contents.text,
        "from_html": contents.from_html,
        "parts": [{"type": part.type, "size": part.size, "name": part.name} for part in contents.parts],
        "part_count": contents.count,
        "parts_understood": contents.understood,
    }
