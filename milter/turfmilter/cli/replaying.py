"""turfctl replay: what other rules would have done with the mail that the journal has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.journalled import journal, since_option, warn_of_gaps, warn_of_skipped
from turfmilter.cli.opened import Started
from turfmilter.cli.output import document, json_option
from turfmilter.cli.remarks import Remark, remarks
from turfmilter.compose import build_generation
from turfmilter.config.amended import NotAmended, amended
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.core.escape import escape
from turfmilter.core.journal.ports import Transactions
from turfmilter.core.policy import Generation
from turfmilter.review.parallel import in_parallel
from turfmilter.review.replay import KINDS, Cause, Outcome, replay

_PROCESSES = 2  # mail goes on meanwhile
_SENDERS = 10  # of one kind that are shown


@click.command("replay")
@click.option(
    "--config",
    "other",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge by this configuration.  [default: the one in force]",
)
@click.option("--turf-add", multiple=True, metavar="ENTRY", help="Judge as if ENTRY were in the turf table.")
@click.option("--turf-remove", multiple=True, metavar="ENTRY", help="Judge as if ENTRY were not in the turf table.")
@click.option("--deny", multiple=True, metavar="ENTRY", help="Judge as if ENTRY were in [connect] deny.")
@since_option
@json_option
@click.pass_obj
def replay_journal(
    started: Started,
    other: Path | None,
    turf_add: tuple[str, ...],
    turf_remove: tuple[str, ...],
    deny: tuple[str, ...],
    since: datetime,
    as_json: bool,
) -> None:
    """Show what other rules would have done with past mail.

    Every transaction of the journal is judged again, with the names that DNS returned then.  Nothing is changed.  Exit
    status: 0 nothing would change, 1 something would.
    """
    config = started.configuration()
    try:
        judging = amended(_loaded(other) if other else config, turf_add=turf_add, turf_remove=turf_remove, deny=deny)
    except NotAmended as error:
        raise click.UsageError(str(error)) from None
    outcome = replayed(config, judging, since)
    remark = remarks(config, started.clock.today())
    if as_json:
        document(_facts(outcome, remark))
    else:
        for line in report(outcome, remark):
            click.echo(line)
    warn_of_skipped(outcome.skipped)
    raise click.exceptions.Exit(1 if outcome.changed else 0)


def _loaded(path: Path) -> Config:
    """Load another configuration; its errors name the file."""
    try:
        return load(path)
    except ConfigError as error:
        raise ConfigError((f"{path} cannot be used:", *error.problems)) from None


def replayed(config: Config, judging: Config, since: datetime) -> Outcome:
    """Judge the journal of `config` since then by the rules of `judging`.  Raises NoJournal."""
    generation = build_generation(judging)
    found = journal(config)
    warn_of_gaps(found, since)
    whole = Outcome()
    for part in in_parallel(partial(_judge, generation, found, share) for share in found.shares(since, _PROCESSES)):
        whole.add(part)
    return whole


def _judge(generation: Generation, found: Transactions, share: Callable[[], Iterator[Any]]) -> Outcome:
    before = Counter(found.skipped)  # inherited: what this process skipped to find where the journal begins
    outcome = replay(generation, share())
    outcome.skipped = Counter(found.skipped) - before
    return outcome


def report(outcome: Outcome, remark: Remark) -> Iterator[str]:
    """Yield the lines that show `outcome` to people, with a remark about some senders."""
    yield f"{_counted(outcome.judged)} judged, {outcome.changed} would change" + _unknown(outcome)
    for kind in KINDS:
        causes = [(cause, number) for cause, number in outcome.causes.most_common() if cause.kind == kind]
        if not causes:
            continue
        yield ""
        yield f"newly {kind}"
        for cause, number in causes:
            yield f"{number:>8}  {escape(' '.join(filter(None, (cause.rule, cause.entry)))) or '(accepted)'}"
            yield from map(_example, outcome.examples[cause])
        senders = [(who, number) for (of, who), number in outcome.senders.most_common() if of == kind]
        yield "  senders"
        for who, number in senders[:_SENDERS]:
            said = remark(who)
            yield f"{number:>8}  {escape(who) or '<>'}" + (escape(f"  ({said})") if said else "")
        if len(senders) > _SENDERS:
            yield f"          and {len(senders) - _SENDERS} more"


def _example(example: Any) -> str:
    shown = f"{example.time[:16].replace('T', ' ')} {example.queue_id or 'NOQUEUE'} from <{example.sender}>"
    to = f" to <{example.recipient}>" if example.recipient else ""
    return escape(f"            {shown}{to}: {example.then} -> {example.now}")


def _unknown(outcome: Outcome) -> str:
    if not outcome.unknown:
        return ""
    lacking = ", ".join(f"{number} without {what}" for what, number in outcome.unknown.most_common())
    return f", {outcome.unknown.total()} undecided, because the journal lacks a fact: {lacking}"


def _counted(number: int) -> str:
    return "1 transaction" if number == 1 else f"{number} transactions"


def _facts(outcome: Outcome, remark: Remark) -> dict[str, Any]:
    def one(cause: Cause) -> dict[str, Any]:
        examples = [example._asdict() for example in outcome.examples[cause]]
        return {**cause._asdict(), "count": outcome.causes[cause], "examples": examples}

    return {
        "judged": outcome.judged,
        "changed": outcome.changed,
        "undecided": dict(outcome.unknown),
        "causes": [one(cause) for cause, _ in outcome.causes.most_common()],
        "senders": [
            {"kind": kind, "sender": who, "count": number, "remark": remark(who)}
            for (kind, who), number in outcome.senders.most_common()
        ],
        "skipped": dict(outcome.skipped),
    }
