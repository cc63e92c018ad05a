"""Judging a transaction of the journal again, with the facts that were known then."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import NamedTuple

from turfmilter.core.finding import ACCEPT, CONTINUE, Action, Verdict
from turfmilter.core.journal.transaction import Answer, NotLookedUp, Transaction, to_answer
from turfmilter.core.judge import MOST_FIELDS, Judge
from turfmilter.core.policy import Generation
from turfmilter.core.removal import removable
from turfmilter.core.reply import REPLIES
from turfmilter.core.rule import Fact

# Facts without which the listener or a step of the relay rule is not known.
_NEEDED = {Fact.TLS: "TLS", Fact.PORT: "the port", Fact.LOCAL_ADDRESS: "the local address"}
# What the client was answered if a message that was to be held could not be: the Judge has no part in that.
_NOT_HELD = tuple(str(REPLIES[name]) for name in ("quarantine-full", "quarantine-error", "recipient-unclear"))
_SIZES = ("message_size", "session_size")  # after a refusal by one of these rules, the size is that of the part read
_KEPT = (Action.HOLD.value, Action.DISCARD.value)
_REFUSED = (Action.REJECT.value, Action.TEMPFAIL.value)


class Counts(NamedTuple):
    """How many messages and bytes of a connection were accepted."""

    messages: int = 0
    octets: int = 0


class Retrial(NamedTuple):
    """What would be decided about a transaction: an answer for each recipient, None if accepted, and the final one.

    `unknown` says which fact is missing that may change this, "" if none is.
    """

    tried: tuple[Answer | None, ...] = ()
    answer: Answer = Answer()
    unknown: str = ""


def judge_again(generation: Generation, transaction: Transaction, more: Counts = Counts()) -> Retrial:  # noqa: B008
    """Return what the rules of `generation` decide about `transaction`.

    `more` is added to what the connection had sent before: the difference that earlier retrials have made.
    """
    return _Retrying(generation, transaction).run(more)


def accepted(answer: Answer, size: int | None) -> Counts:
    """Return what a message with this final answer adds to the counts of its connection; see Judge.accepted."""
    return Counts(1, size or 0) if answer.verdict and not answer.reply else Counts()


class _Retrying:
    def __init__(self, generation: Generation, transaction: Transaction) -> None:
        self._transaction = transaction
        self._judge = Judge(generation, _Then(transaction.today))
        known = transaction.connection.names
        # A lookup remembers whether a rule has asked for it: each retrial needs one of its own.
        self._names = NotLookedUp() if isinstance(known, NotLookedUp) else known
        self._unknown = "" if transaction.complete else "a part of the line, which was too long"

    def run(self, more: Counts) -> Retrial:
        """Judge everything that the transaction has."""
        wanted = self._judge.generation.facts - self._transaction.facts
        for fact, what in _NEEDED.items():
            if fact in wanted:
                self._lack(what)
        tried, verdict = self._events(more)
        if isinstance(self._names, NotLookedUp) and self._names.missed:
            self._lack("the client's names")
        return Retrial(tried, self._as_then(to_answer(verdict)), self._unknown)

    def _lack(self, what: str) -> None:
        self._unknown = self._unknown or what

    def _events(self, more: Counts) -> tuple[tuple[Answer | None, ...], Verdict]:
        then, judge = self._transaction, self._judge
        verdict = judge.connect(then.connection._replace(names=self._names))
        if verdict.reply or then.sender is None:
            return (), verdict
        if verdict is ACCEPT:
            return (None,) * len(then.tried), ACCEPT if then.answer.verdict else CONTINUE
        judge.resume(then.messages + more.messages, then.octets + more.octets)
        judge.helo(then.helo)
        judge.mail(then.sender, then.params, account=then.account, tls=then.tls)
        verdicts = [judge.rcpt(one.recipient) for one in then.tried]
        tried = tuple(None if verdict is CONTINUE else to_answer(verdict) for verdict in verdicts)
        # If no recipient was accepted then, or the client gave up, no message followed.
        reached = bool(then.answer.verdict) and None in tried
        return tried, self._content() if reached else CONTINUE

    def _content(self) -> Verdict:
        verdict = self._judge.data()
        if verdict is CONTINUE:
            verdict = self._header()
        return self._end() if verdict is CONTINUE else verdict

    def _header(self) -> Verdict:
        then, policy = self._transaction, self._judge.policy
        if policy.at_headers and (then.fields is None or not policy.wants <= then.fields.keys()):
            self._lack("the header")
        fields = [
            (name, value.encode("utf-8", "surrogateescape"))
            for name, values in (then.fields or {}).items()
            for value in values
        ]
        if then.answer.rule == "header":  # what was too long to be read is not kept, except that it was
            fields += [("", b"")] * (MOST_FIELDS + 1 - len(fields))
        return self._judge.end_of_headers(fields)

    def _end(self) -> Verdict:
        then, judge = self._transaction, self._judge
        if then.size is None and any(clause.rule.measures for clause in judge.policy.clauses):
            self._lack("the size")
        judge.seen(then.size or 0)
        verdict = self._possible(judge.end())
        if then.answer.rule in _SIZES and then.answer.verdict in _REFUSED and verdict.finding is None:
            self._lack("the size")
        return verdict

    def _possible(self, verdict: Verdict) -> Verdict:
        """Return `verdict`, or what is done if the MTA could not remove the recipients from whom mail is withheld."""
        envelope = self._judge.session.envelope
        kept = set(envelope.recipients).difference(verdict.taken) if envelope else ()
        if not verdict.partly or removable(verdict.taken, kept):
            return verdict
        return Verdict(Action.TEMPFAIL, verdict.finding, REPLIES["recipient-unclear"])

    def _as_then(self, answer: Answer) -> Answer:
        """Return the answer of then, if the message is to be held now as then, but could not be."""
        then = self._transaction.answer
        return then if then.reply in _NOT_HELD and answer.verdict in _KEPT else answer


class _Then:
    """Implements ports.Clock with the day of a transaction."""

    def __init__(self, day: date) -> None:
        self._day = day

    def today(self) -> date:
        return self._day

    def now(self) -> datetime:
        return datetime.combine(self._day, time(), UTC)
