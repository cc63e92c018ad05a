"""What the connections of the journal would have sent, if other rules had judged their earlier messages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from turfmilter.core.journal.transaction import Answer, Transaction
from turfmilter.core.policy import Generation
from turfmilter.core.retrial import Counts, Retrial, accepted, judge_again

_NOTHING = Counts()
# More than any limit on the size of a session: the size of a message that the journal does not have.
_ANY_SIZE = 1 << 62  # bytes
# From the end of one message to the end of the next.  Sendmail waits an hour for each command and each part of the
# data (Timeout.command, Timeout.datablock), Postfix five minutes.
_LONGEST_PAUSE = timedelta(hours=6)


class _Difference(NamedTuple):
    """How the counts of a connection differ from those in the journal: at least and at most."""

    least: Counts
    most: Counts
    time: datetime


class Connections:
    """Judges transactions again by the rules of a generation, the transactions of each connection in their order.

    What a connection has sent before depends on what is decided now about its earlier messages.  Where that is not
    known, it is between two bounds, and a transaction is undecided only if the bounds lead to different decisions.
    """

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._differences: dict[str, _Difference] = {}  # by session, the one that was used last at the end

    def __len__(self) -> int:
        """The number of connections that are remembered because they differ from the journal."""
        return len(self._differences)

    def judge(self, transaction: Transaction) -> Retrial:
        """Return what is decided about the next transaction of its connection."""
        self._forget(transaction.time)
        known = self._differences.pop(transaction.session, None)
        least, most = (known.least, known.most) if known else (_NOTHING, _NOTHING)
        retrial = more = judge_again(self._generation, transaction, least)
        if most != least:
            # The rules only compare the counts with limits: what both bounds lead to, all counts between them do.
            more = judge_again(self._generation, transaction, most)
            if not _agree(retrial, more):
                retrial = retrial._replace(unknown=retrial.unknown or "what the client had sent before")
        self._remember(transaction, least, most, _possible(transaction, retrial, more))
        return retrial

    def _remember(self, transaction: Transaction, least: Counts, most: Counts, possible: list[Counts]) -> None:
        then = accepted(transaction.answer, transaction.size)
        least, most = (
            Counts(before.messages + now.messages - then.messages, before.octets + now.octets - then.octets)
            for before, now in ((least, min(possible)), (most, max(possible)))
        )
        if least != _NOTHING or most != _NOTHING:
            self._differences[transaction.session] = _Difference(least, most, transaction.time)

    def _forget(self, now: datetime) -> None:
        """Forget the connections that have ended since: they would fill the memory."""
        while self._differences:
            session = next(iter(self._differences))
            if now - self._differences[session].time < _LONGEST_PAUSE:
                return
            del self._differences[session]


def _possible(transaction: Transaction, *retrials: Retrial) -> list[Counts]:
    """Return what the transaction may add to the counts: a single value, or the least and the most."""
    if any(retrial.unknown or _opened(transaction, retrial) for retrial in retrials):
        return [_NOTHING, Counts(1, _ANY_SIZE)]
    return [accepted(retrial.answer, transaction.size) for retrial in retrials]


def _opened(transaction: Transaction, retrial: Retrial) -> bool:
    """Return True if no recipient was accepted then, but one is now: a message would perhaps have followed."""
    none_then = all(one.answer for one in transaction.tried)
    return not transaction.answer.verdict and none_then and None in retrial.tried


def _agree(one: Retrial, other: Retrial) -> bool:
    return [_decided(answer) for answer in (*one.tried, one.answer)] == [
        _decided(answer) for answer in (*other.tried, other.answer)
    ]


def _decided(answer: Answer | None) -> tuple[str, str, str] | None:
    """Return the part of an answer that does not name counts."""
    return answer and (answer.verdict, answer.rule, answer.entry)
