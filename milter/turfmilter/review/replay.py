"""What other rules would have done with the transactions of the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from turfmilter.core.address.addressed import bare
from turfmilter.core.finding import Action
from turfmilter.core.journal.transaction import Answer, Transaction
from turfmilter.core.policy import Generation
from turfmilter.core.retrial import Retrial, judge_again
from turfmilter.review.connections import Connections

_MOST_EXAMPLES = 3  # of one cause
_MOST_SENDERS = 100_000  # so that a journal full of forged senders does not fill the memory

# What becomes of a message or a recipient, by the verdict.
_KINDS = {
    Action.REJECT.value: "refused",
    Action.TEMPFAIL.value: "deferred",
    Action.HOLD.value: "held",
    Action.DISCARD.value: "discarded",
    Action.ACCEPT.value: "passed",
}
_WITHHELD = (Action.HOLD.value, Action.DISCARD.value, Action.REJECT.value)
KINDS = ("refused", "deferred", "held", "discarded", "passed")


class Cause(NamedTuple):
    """Why something would change: it would newly be `kind`, by `rule` and `entry`; if passed, those of then."""

    kind: str
    rule: str
    entry: str


class Example(NamedTuple):
    """One transaction that would change, in the words of the log."""

    time: str
    queue_id: str
    client: str
    sender: str
    recipient: str
    then: str
    now: str


@dataclass
class Outcome:
    """What a replay has found; those of several shares can be added.

    `unknown` counts the transactions about which nothing can be said, by the fact that is missing.
    """

    judged: int = 0
    changed: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    causes: Counter[Cause] = field(default_factory=Counter)
    senders: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[Cause, list[Example]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, other: Outcome) -> None:
        """Add what was found in another share."""
        self.judged += other.judged
        self.changed += other.changed
        self.unknown += other.unknown
        self.causes += other.causes
        self.senders += other.senders
        self.skipped += other.skipped
        for cause, examples in other.examples.items():
            self.examples[cause] = [*self.examples.get(cause, ()), *examples][:_MOST_EXAMPLES]

    def note(self, transaction: Transaction, retrial: Retrial) -> None:
        """Count one transaction, and what would change about it."""
        self.judged += 1
        if retrial.unknown:
            self.unknown[retrial.unknown] += 1
            return
        causes = dict(_changes(transaction, retrial))
        self.changed += bool(causes)
        for cause, example in causes.items():
            self.causes[cause] += 1
            if len(kept := self.examples.setdefault(cause, [])) < _MOST_EXAMPLES:
                kept.append(example)
            who = (cause.kind, example.sender)
            if who in self.senders or len(self.senders) < _MOST_SENDERS:
                self.senders[who] += 1


def replay(generation: Generation, transactions: Iterable[Transaction]) -> Outcome:
    """Judge `transactions`, each connection's in their order, by the rules of `generation`."""
    outcome, connections = Outcome(), Connections(generation)
    for transaction in transactions:
        outcome.note(transaction, connections.judge(transaction))
    return outcome


def withheld(generation: Generation, transactions: Iterable[Transaction], entry: str) -> Iterator[Transaction]:
    """Yield the transactions whose message was delivered, and is not by the rules of `generation`, due to `entry`.

    `entry` is written with its place, as the log has it.
    """
    for transaction in transactions:
        if transaction.answer.verdict == Action.ACCEPT.value:
            retrial = judge_again(generation, transaction)
            if retrial.answer.verdict in _WITHHELD and retrial.answer.entry == entry and not retrial.unknown:
                yield transaction


def _changes(transaction: Transaction, retrial: Retrial) -> Iterator[tuple[Cause, Example]]:
    """Yield what would become of recipients and of the message, where it is not what did become of it."""
    pairs = [
        (one.answer or _ACCEPTED, now or _ACCEPTED, one.recipient.text)
        for one, now in zip(transaction.tried, retrial.tried, strict=False)
    ]
    if not retrial.tried or transaction.sender is None:  # refused at connect, then or now
        pairs = [(_first_refusal(transaction), retrial.answer if retrial.answer.verdict else _ACCEPTED, "")]
    elif transaction.answer.verdict and None in retrial.tried:
        pairs.append((transaction.answer, retrial.answer, ""))
    for then, now, recipient in pairs:
        kind = _KINDS[now.verdict]
        if kind != _KINDS[then.verdict]:
            why = then if kind == "passed" else now
            yield Cause(kind, why.rule, why.entry), _example(transaction, recipient, then, now)


def _first_refusal(transaction: Transaction) -> Answer:
    if transaction.sender is None:
        return transaction.answer
    refusals = [one.answer for one in transaction.tried if one.answer]
    return _ACCEPTED if not refusals or len(refusals) < len(transaction.tried) else refusals[0]


_ACCEPTED = Answer(Action.ACCEPT.value)


def _example(transaction: Transaction, recipient: str, then: Answer, now: Answer) -> Example:
    first = recipient or next((one.recipient.text for one in transaction.tried), "")
    return Example(
        time=transaction.time.isoformat(timespec="seconds"),
        queue_id=transaction.queue_id,
        client=str(transaction.connection.client or ""),
        sender=bare(transaction.sender or ""),
        recipient=bare(first),
        then=then.reply or then.verdict,
        now=now.reply or now.verdict,
    )
