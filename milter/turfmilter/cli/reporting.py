"""turfctl report: what rules in trial mode would have done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from turfmilter.cli.journalled import journal, since_option, warn_of_gaps, warn_of_skipped
from turfmilter.cli.opened import Started
from turfmilter.cli.output import document, json_option
from turfmilter.cli.remarks import Remark, remarks
from turfmilter.core.escape import escape
from turfmilter.review.worth import Cause, Trialled, may_name_an_entry, trialled

_SENDERS = 5  # of one cause that are shown


@click.command("report")
@since_option
@json_option
@click.pass_obj
def report(started: Started, since: datetime, as_json: bool) -> None:
    """Show what rules in trial mode would have done.

    For each rule and entry: how often, since when, and to whose mail.  Senders whose mail was released before are
    marked.  Exit status: 0 something is on trial and would have acted, 1 nothing.
    """
    config = started.configuration()
    transactions = journal(config)
    warn_of_gaps(transactions, since)
    found = trialled(transactions.newest(since, may_name_an_entry))
    ordered = sorted(found.items(), key=lambda pair: -pair[1].count)
    remark = remarks(config, started.clock.today())
    if as_json:
        document([_facts(cause, what, remark) for cause, what in ordered])
    else:
        for cause, what in ordered:
            for line in _lines(cause, what, remark):
                click.echo(line)
    warn_of_skipped(transactions.skipped)
    if not found:
        click.echo("no rule in trial mode would have done anything", err=True)
        raise click.exceptions.Exit(1)


def _lines(cause: Cause, what: Trialled, remark: Remark) -> Iterator[str]:
    times = "once" if what.count == 1 else f"{what.count} times"
    span = f"{what.first:%Y-%m-%d %H:%M} to {what.last:%Y-%m-%d %H:%M} UTC"
    yield escape(
        f"{cause.rule} would {_done(cause.verdict)} {times}, {span}" + (f": {cause.entry}" * bool(cause.entry))
    )
    for sender, number in what.senders.most_common(_SENDERS):
        said = remark(sender)
        yield escape(f"{number:>8}  {sender or '<>'}" + (f"  ({said})" if said else ""))
    if len(what.senders) > _SENDERS:
        yield f"          and {len(what.senders) - _SENDERS} more senders"


# What a verdict does, as a verb that "would" precedes; the others are verbs.
_VERBS = {
    "tempfail": "defer",
    "unavailable": "have been undecided",
    "change": "have changed the header",
    "accept": "spare",
}


def _done(verdict: str) -> str:
    return _VERBS.get(verdict, verdict)


def _facts(cause: Cause, what: Trialled, remark: Remark) -> dict[str, Any]:
    senders = [
        {"sender": sender, "count": number, "remark": remark(sender)} for sender, number in what.senders.most_common()
    ]
    return {**cause._asdict(), "count": what.count, "first": what.first, "last": what.last, "senders": senders}
