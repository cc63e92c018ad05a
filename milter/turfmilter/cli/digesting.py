"""turfctl digest: a report about open messages, printed or mailed."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

import click

from turfmilter.cli.listing import ledger_lines, row
from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.options import ago
from turfmilter.cli.program import EX_NOT_DONE, leave
from turfmilter.cli.streams import displayed_encoding
from turfmilter.config.sections.quarantine import ReleaseConfig
from turfmilter.core.address.addressed import Addressed
from turfmilter.mta.smtp import NextHop, NotSent, Unknown, send
from turfmilter.review.digest import digest
from turfmilter.review.layout import Row, Screen, full_time
from turfmilter.review.quarantines import Found

_LETTER_COLUMNS = 76  # RFC 5322 §2.1.1 recommends 78, and a reply puts "> " in front


@click.command("digest")
@click.option(
    "--newer",
    "since",
    callback=ago,
    metavar="AGE",
    default="1d",
    help="Held less than AGE ago: 12h, 7d.  [default: 1d]",
)
@click.option("--mail", "to", metavar="ADDRESS", help="Mail the report to ADDRESS instead of printing it.")
@directory_option
@click.pass_obj
def digest_held(started: Started, since: datetime, to: str | None, directory: Path | None) -> None:
    """Report what was held recently, for a daily mail.

    Only open messages are listed: new senders first, by entry, each entry with the command that releases its messages.
    No mail is sent if there are none.
    """
    config = started.configuration(tables=False)
    on = Screen(_LETTER_COLUMNS, "utf-8" if to else displayed_encoding(), started.clock.now())
    with opened(config, directory) as quarantines:
        text = digest(quarantines, since, platform.node(), _rows, on)
    if to is None:
        click.echo(text or f"no open messages that were held since {full_time(since)}")
    elif text:
        _mail(config.release, to, text, started.clock.now())


def _rows(found: Sequence[Found]) -> list[Row]:
    lines = ledger_lines(one.place for one in found)
    return [row(one, lines(one.place)) for one in found]


def _mail(release: ReleaseConfig, to: str, text: str, now: datetime) -> None:
    """Send the report `text` by mail, or end the program with the reason why it cannot be sent."""
    letter = EmailMessage()
    letter["From"] = f"turfmilter <{to}>"
    letter["To"] = to
    letter["Subject"] = text.partition("\n")[0]
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = make_msgid(domain=release.helo)
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: vacation programs do not answer
    letter.set_content(text)
    hop = NextHop(release.host, release.port, release.helo)
    recipient = Addressed(to)
    data = letter.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    try:
        reply = send(hop, Addressed(""), [recipient], data, lambda _: None).replies[recipient]
    except (NotSent, Unknown) as error:
        leave("turfctl", error, EX_NOT_DONE)
    if not reply.startswith("2"):
        raise click.ClickException(f"{to}: {reply}")
