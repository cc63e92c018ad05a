"""What one entry of the turf table would have done: before it is added, and to mail that has been delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NoReturn

import click

from turfmilter.cli.journalled import journal
from turfmilter.cli.opened import NoJournal, Started, warn_on_stderr
from turfmilter.cli.remarks import remarks
from turfmilter.cli.replaying import replayed, report
from turfmilter.compose import build_generation
from turfmilter.config.amended import amended
from turfmilter.core.address.addressed import bare
from turfmilter.core.escape import escape, shell_word
from turfmilter.core.table.entry import Entry
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, parse_sender
from turfmilter.review.replay import withheld

_LATELY = timedelta(hours=48)
_MOST = 20  # mailboxes for which a command is printed


def try_entry(started: Started, entry: str, since: datetime) -> NoReturn:
    """Show what `entry` would have done since then, and end the program; status 1 if it would have done anything."""
    config = started.configuration()
    outcome = replayed(config, amended(config, turf_add=[entry]), since)
    for line in report(outcome, remarks(config, started.clock.today())):
        click.echo(line)
    quoted = shell_word(entry)
    click.echo(f"nothing was added; to add it: turfctl turf add {'-- ' if entry.startswith('-') else ''}{quoted}")
    raise click.exceptions.Exit(1 if outcome.changed else 0)


def delivered_lately(started: Started, entry: str, added: Entry) -> Iterator[str]:
    """Yield lines about mail of the last two days that `entry`, now `added` to the table, would have withheld.

    Without a journal, and for an exception, there are none.
    """
    config = started.configuration()
    if config.journal.directory is None or entry.startswith("!"):
        return
    generation = build_generation(config)
    try:
        found = journal(config).oldest(started.clock.now() - _LATELY, lambda _: True)
        boxes = Counter(
            bare(one.recipient.text)
            for transaction in withheld(generation, found, str(added))
            for one in transaction.tried
            if one.answer is None
        )
    except (NoJournal, OSError) as error:
        warn_on_stderr(escape(f"mail that was delivered before is not listed: {error}"))
        return
    if not boxes:
        return
    number = "1 recipient" if len(boxes) == 1 else f"{len(boxes)} recipients"
    yield f"already delivered in the last 48 hours, to {number}; with Dovecot, these commands find it:"
    for box, _ in boxes.most_common(_MOST):
        yield f"  doveadm search -u {escape(shell_word(box))} mailbox '*' since 2d {_condition(entry)}"
    if len(boxes) > _MOST:
        yield f"  and {len(boxes) - _MOST} more"


def _condition(entry: str) -> str:
    """Return the search keys of doveadm-search-query(7) for an entry: a part of From: or of the sender."""
    text = shell_word(_searched(parse_sender(entry.split()[0])))
    return rf"\( from {text} or header return-path {text} \)"


def _searched(pattern: Address | Glob | Domain | Local) -> str:
    """Return a text that every matching address contains."""
    match pattern:
        case Address(local, domain):
            return f"{local}@{domain}" if domain else "<>"
        case Local(local):
            return f"{local}@"
        case Glob(_, domain) | Domain(domain, _):
            return domain
