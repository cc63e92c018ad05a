"""turfctl quarantine digest: what was held lately, to be read or to be mailed."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

import click

from turfmilter.cli.opened import Started, directory_option, opened
from turfmilter.cli.selecting import ago
from turfmilter.config.release import ReleaseConfig
from turfmilter.core.addressed import Addressed
from turfmilter.mta.smtp import NextHop, send
from turfmilter.review.digest import digest


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
        mail(config.release, to, text)


def mail(release: ReleaseConfig, to: str, text: str) -> None:
    """Give the MTA a letter to the administrator.  Raises NotSent and Unknown."""
    letter = EmailMessage()
    letter["From"] = f"turfmilter <{to}>"
    letter["To"] = to
    letter["Subject"] = f"turfmilter: {text.partition('.')[0].lower()}"
    letter["Date"] = format_datetime(datetime.now(UTC))
    letter["Message-ID"] = make_msgid(domain=release.helo)
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no vacation program answers
    letter.set_content(text)
    hop = NextHop(release.host, release.port, release.helo)
    recipient = Addressed(to)
    data = letter.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    reply = send(hop, Addressed(""), [recipient], data, lambda _: None).replies[recipient]
    if not reply.startswith("2"):
        raise click.ClickException(f"{to}: {reply}")
