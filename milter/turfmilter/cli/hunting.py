"""turfctl hunt: search what was decided about past mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, get_args

import click

from turfmilter.cli.journalled import journal, warn_of_skipped
from turfmilter.cli.listing import groups_table
from turfmilter.cli.opened import Started
from turfmilter.cli.options import selecting
from turfmilter.cli.output import document, json_option, table
from turfmilter.core.address.addressed import bare
from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.readings import read_sender
from turfmilter.core.escape import escape
from turfmilter.core.finding import Action
from turfmilter.core.held.selection import Group, Selection
from turfmilter.core.journal.ports import Transactions
from turfmilter.core.journal.question import Question
from turfmilter.core.journal.transaction import Answer, Transaction
from turfmilter.review.explanation import decided

_VERDICTS = [action.value for action in Action if action not in (Action.CONTINUE, Action.CHANGE)]
_By = Literal["sender", "author", "domain", "recipient", "client", "account", "verdict", "rule", "entry"]
_COLUMNS = ("time", "queue_id", "verdict", "client", "sender", "recipient", "why")
_CONDITIONS = ("sender", "author", "recipient", "client", "rule", "entry", "since", "before", "larger", "smaller")


@click.command("hunt")
@selecting(only=_CONDITIONS)
@click.option("--verdict", type=click.Choice(_VERDICTS), help="What was decided, about the message or a recipient.")
@click.option("--account", default="", metavar="USER", help="The account with which the client had logged in.")
@click.option(
    "--group-by",
    "by",
    type=click.Choice(get_args(_By)),
    metavar="WHAT",
    help=f"Count them by what they have in common: {', '.join(get_args(_By))}.",
)
@click.option(
    "--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Show at most this many; 0 shows all."
)
@json_option
@click.pass_obj
def hunt(
    started: Started,
    selection: Selection,
    verdict: str | None,
    account: str,
    by: _By | None,
    limit: int,
    as_json: bool,
) -> None:
    """Search the decisions in the journal, the newest first.

    A transaction must meet all conditions.  Exit status: 0 something was found, 1 nothing.
    """
    question = Question(selection, verdict or "", account)
    transactions = journal(started.configuration(tables=False))
    found = _found(transactions, question)
    shown = _grouped(started, found, by, limit, as_json=as_json) if by else _listed(found, limit, as_json=as_json)
    warn_of_skipped(transactions.skipped)
    if not shown:
        click.echo("[]" if as_json else "turfctl: nothing in the journal matches", err=not as_json)
        raise click.exceptions.Exit(1)


def _found(transactions: Transactions, question: Question) -> Iterator[Transaction]:
    every = transactions.newest(question.selection.since, question.quick())
    return (transaction for transaction in every if question.wants(transaction))


def _listed(found: Iterator[Transaction], limit: int, *, as_json: bool) -> int:
    shown = list(islice(found, limit or None))
    if as_json and shown:
        document([decided(transaction) for transaction in shown])
    elif shown:
        table([_row(transaction) for transaction in shown], _COLUMNS, as_json=False)
        if limit and next(found, None):
            click.echo(f"the newest {limit}; --limit 0 shows all", err=True)
    return len(shown)


def _row(transaction: Transaction) -> dict[str, object]:
    decisive = _decisive(transaction)
    tried = transaction.tried
    more = f" +{len(tried) - 1}" if len(tried) > 1 else ""
    return {
        "time": f"{transaction.time.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "queue_id": transaction.queue_id or "NOQUEUE",
        "verdict": decisive.verdict,
        "client": transaction.connection.client or "local",
        "sender": bare(transaction.sender) or "<>" if transaction.sender is not None else "",
        "recipient": (bare(tried[0].recipient.text) if tried else "") + more,
        "why": " ".join(filter(None, (decisive.rule, decisive.entry, decisive.saw))),
    }


def _decisive(transaction: Transaction) -> Answer:
    """Return the final answer, or that to the first refused recipient if there was no message."""
    refused = next((one.answer for one in transaction.tried if one.answer), Answer())
    return transaction.answer if transaction.answer.verdict else refused


def _grouped(started: Started, found: Iterable[Transaction], by: _By, limit: int, *, as_json: bool) -> int:
    counts, last = Counter[str](), dict[str, datetime]()
    for transaction in found:  # the newest first
        for value in dict.fromkeys(_values(transaction, by)):
            counts[value] += 1
            last.setdefault(value, transaction.time)
    groups = [Group(escape(value), number, last[value]) for value, number in counts.most_common(limit or None)]
    if as_json and groups:
        document([{by: group.value, "count": group.count, "last": group.last} for group in groups])
    elif groups:
        groups_table(started.clock, by, groups)
    return len(groups)


def _values(transaction: Transaction, by: _By) -> Iterator[str]:
    decisive = _decisive(transaction)
    match by:
        case "sender":
            yield bare(transaction.sender).lower() or "<>" if transaction.sender is not None else ""
        case "domain":
            yield read_sender(transaction.sender).domain if transaction.sender else ""
        case "author":
            yield from map(str, read_authors((transaction.fields or {}).get("from", ())).mailboxes)
        case "recipient":
            yield from (bare(one.recipient.text).lower() for one in transaction.tried)
        case "client":
            yield str(transaction.connection.client or "local")
        case "account":
            yield transaction.account
        case "verdict":
            yield decisive.verdict
        case "rule":
            yield decisive.rule
        case "entry":
            yield decisive.entry
