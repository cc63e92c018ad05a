"""One SMTP transaction as the Judge saw it, and what it decided: enough to judge it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from turfmilter.core.finding import Action, Verdict
from turfmilter.core.report import Trial
from turfmilter.core.rule import Fact
from turfmilter.core.session import ClientNames, Connection, Recipient

# What one transaction keeps, so that hardly any line is longer than MOST_LINE_OCTETS, and memory is bounded.
MOST_TRIED = 200  # recipients
MOST_FIELD_CHARACTERS = 16_384  # of the values of header fields


class NotLookedUp:
    """Implements session.Lookup for a client whose names were not looked up.

    `missed` is True once a rule has asked for them: what it decided without them may be wrong.
    """

    def __init__(self) -> None:
        self.missed = False

    @property
    def pending(self) -> bool:
        """Nothing is waited for."""
        return False

    @property
    def known(self) -> None:
        """Nothing is known."""
        return

    def begin(self) -> None:
        """Do nothing: there is nothing to start."""

    def result(self) -> ClientNames:
        """Return no names, marked as incomplete."""
        self.missed = True
        return ClientNames(failed=True)


class Answer(NamedTuple):
    """A verdict as the log has it: `verdict` is a value of Action, "" if the message ended without one.

    `entry` is the deciding entry with its place, `saw` what the rule measured, `reply` what the client received.
    """

    verdict: str = ""
    rule: str = ""
    entry: str = ""
    saw: str = ""
    reply: str = ""


class Tried(NamedTuple):
    """One RCPT TO.  `answer` is None if the recipient was accepted."""

    recipient: Recipient
    answer: Answer | None = None


class Transaction(NamedTuple):
    """One transaction , from MAIL to its end, or a connection that was refused at connect, which has no `sender`.

    `time` is its end, UTC.  `session` names the connection, so that its transactions are recognised; `messages` and
    `octets` are what the connection had sent before.  `today` is the day with which entries were compared.
    `facts` are the optional values that were requested from the MTA: the others are unknown, not absent.
    `fields` are the header fields that rules read, None if no rule read the header.  `size` is in bytes, None if it
    was not measured.  `complete` is False if recipients or fields were left out because there were too many.
    `answer` is the final one, and `trials` is what rules in trial mode would have done.  `id` is that of the held
    message.  `ms` is the time that the filter took, in milliseconds.
    """

    time: datetime
    session: str
    connection: Connection
    facts: frozenset[Fact] = frozenset()
    listener: str = ""
    helo: str = ""
    tls: bool = False
    account: str = ""
    today: date = date.min
    messages: int = 0
    octets: int = 0
    sender: str | None = None
    params: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    fields: Mapping[str, Sequence[str]] | None = None
    size: int | None = None
    complete: bool = True
    answer: Answer = Answer()
    trials: tuple[Trial, ...] = ()
    queue_id: str = ""
    id: str = ""
    generation: int = 0
    ms: int = 0


def to_answer(verdict: Verdict) -> Answer:
    """Return `verdict` as the journal has it; for CONTINUE, without a verdict."""
    if verdict.action is Action.CONTINUE:
        return Answer()
    finding = verdict.finding
    if finding is None:
        return Answer(verdict.action.value, reply=str(verdict.reply or ""))
    entry = str(finding.matched or "")
    return Answer(verdict.action.value, finding.rule, entry, finding.what, str(verdict.reply or ""))
