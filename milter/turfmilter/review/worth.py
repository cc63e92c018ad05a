"""What entries and rules are worth: how often they matched, according to the journal."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from turfmilter.core.address.addressed import bare
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.table.entry import Entry
from turfmilter.core.table.senders import SenderTable

_MOST_SENDERS = 10_000  # of one cause, so that forged senders do not fill the memory
_BLANK = re.compile(" ")
_NEVER_DECIDES = ("never decides", "a duplicate of")


@dataclass(slots=True)
class Matches:
    """How often something matched within 1, 7 and 30 days, and when it did last."""

    last: datetime | None = None
    day: int = 0
    week: int = 0
    month: int = 0

    def add(self, time: datetime, now: datetime) -> None:
        """Count one match at `time`."""
        self.last = time if self.last is None else max(self.last, time)
        age = now - time
        self.day += age <= timedelta(days=1)
        self.week += age <= timedelta(days=7)
        self.month += age <= timedelta(days=30)


def may_name_an_entry(line: bytes) -> bool:
    """Return False for most lines of the journal that name no entry."""
    return b'"entry"' in line or b'"trial"' in line


def matches(transactions: Iterable[Transaction], now: datetime) -> dict[str, Matches]:
    """Return how often each entry matched, by its text; once for each transaction.

    The place of an entry is left out, because it changes when the table is edited.
    """
    found: defaultdict[str, Matches] = defaultdict(Matches)
    for transaction in transactions:
        # Of an entry and its place, either may contain blanks: it is counted under all that may be its text.
        for text in {said[: blank.start()] for said in _entries(transaction) for blank in _BLANK.finditer(said)}:
            found[text].add(transaction.time, now)
    return found


def _entries(transaction: Transaction) -> Iterator[str]:
    yield transaction.answer.entry
    yield from (one.answer.entry for one in transaction.tried if one.answer)
    yield from (trial.entry for trial in transaction.trials)


class Worth(NamedTuple):
    """One entry, its matches, and why it is dead: "expired on …", "never decides", "" if it may decide."""

    entry: Entry
    matches: Matches
    dead: str


def worth(tables: Iterable[SenderTable], found: dict[str, Matches], now: datetime) -> Iterator[Worth]:
    """Yield what each entry of `tables` is worth, in their order; an entry of several tables once."""
    seen = set()
    for table in tables:
        idle = {problem.where for problem in table.warnings if problem.wrong.startswith(_NEVER_DECIDES)}
        for entry in table:
            if (entry.where, entry.text) in seen:
                continue
            seen.add((entry.where, entry.text))
            over = "" if entry.valid_on(now.date()) else f"expired on {entry.expires}"
            yield Worth(entry, found.get(entry.text, Matches()), over or ("never decides" * (entry.where in idle)))


@dataclass(slots=True)
class Trialled:
    """What one rule and entry in trial mode would have done: how often, from when to when, and to which senders."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    senders: Counter[str] = field(default_factory=Counter)


class Cause(NamedTuple):
    """A rule in trial mode, what it would have done, and its entry."""

    rule: str
    verdict: str
    entry: str


def trialled(transactions: Iterable[Transaction]) -> dict[Cause, Trialled]:
    """Return what rules in trial mode would have done with `transactions`, the newest of which comes first."""
    found: defaultdict[Cause, Trialled] = defaultdict(Trialled)
    for transaction in transactions:
        sender = bare(transaction.sender or "").lower()
        for cause in {Cause(trial.rule, trial.verdict, trial.entry) for trial in transaction.trials}:
            one = found[cause]
            one.count += 1
            one.first = transaction.time
            one.last = one.last or transaction.time
            if sender in one.senders or len(one.senders) < _MOST_SENDERS:
                one.senders[sender] += 1
    return found
