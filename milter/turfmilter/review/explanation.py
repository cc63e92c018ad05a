"""Why a message is treated as it is: every rule in order, what it looked at and found, and what was answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from turfmilter.core.finding import CONTINUE
from turfmilter.core.held.message import shown_id
from turfmilter.core.journal.transaction import Answer, Transaction
from turfmilter.core.policy import Generation, Mode
from turfmilter.core.retrial import Retrial, judge_again
from turfmilter.core.rule import Looked, Stage
from turfmilter.core.table.entry import Entry
from turfmilter.core.witness import Asked, watched


class Explanation(NamedTuple):
    """What the rules in force decide about a transaction, and why.

    `asked` are the calls of the rules in their order; `retrial` are the answers.
    """

    transaction: Transaction
    asked: tuple[Asked, ...]
    retrial: Retrial

    @property
    def accepted(self) -> bool:
        """True if the message is accepted for every recipient."""
        answer = self.retrial.answer
        certain = not any(self.retrial.tried) and not self.retrial.unknown
        return certain and not answer.reply and answer.verdict in ("", "accept")


def explain(generation: Generation, transaction: Transaction) -> Explanation:
    """Judge `transaction` by the rules of `generation`, and record how."""
    seen: list[Asked] = []
    retrial = judge_again(watched(generation, seen), transaction)
    return Explanation(transaction, tuple(seen), retrial)


def as_json_document(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation as JSON has it; every text is as it was received."""
    return {
        "rules": [_asked(one) for one in explanation.asked],
        "recipients": [
            {"recipient": one.recipient.text, "answer": _answer(now)}
            for one, now in zip(explanation.transaction.tried, explanation.retrial.tried, strict=False)
        ],
        "answer": _answer(explanation.retrial.answer),
        "accepted": explanation.accepted,
        "unknown": explanation.retrial.unknown,
    }


def _asked(asked: Asked) -> dict[str, Any]:
    finding = asked.finding
    return {
        "stage": asked.stage.name.lower(),
        "rule": asked.clause.rule.name,
        "mode": asked.clause.mode.value,
        "recipient": asked.recipient.text if asked.recipient else None,
        "looked_at": [
            {
                "what": one.what,
                "value": one.value,
                "entries": [
                    {"entry": entry.text, "where": str(entry.where), "passed_over": why}
                    for entry, why in passed_over(one, finding.matched if finding else None, asked.session.today)
                ],
            }
            for one in asked.looked
        ],
        "found": finding is not None,
        "saw": finding.what if finding else "",
        "entry": str(finding.matched or "") if finding else "",
        "does": does(asked),
    }


def _answer(answer: Answer | None) -> dict[str, str]:
    return {"verdict": "accept"} if answer is None else {k: v for k, v in answer._asdict().items() if v}


def told(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as the daemon gives it to turfctl: the document, the lines, and whether it is the same."""
    then, now = explanation.transaction, explanation.retrial
    answers = [*(one.answer for one in then.tried), then.answer]
    same = list(map(_essence, [*now.tried, now.answer])) == list(map(_essence, answers))
    return {
        "document": as_json_document(explanation),
        "lines": list(lines(explanation)),
        "accepted": explanation.accepted,
        "same": same,
    }


def _essence(answer: Answer | None) -> tuple[str, str, str]:
    """Return what matters of an answer: an entry has another place once a line is added above it."""
    return (answer.verdict, answer.rule, answer.reply) if answer else ("", "", "")


def decided(then: Transaction) -> dict[str, Any]:
    """Return what was decided about a transaction, as JSON has it."""
    return {
        "time": then.time,
        "queue_id": then.queue_id,
        "id": then.id,
        "client": str(then.connection.client or ""),
        "sender": then.sender,
        "recipients": [{"recipient": one.recipient.text, "answer": _answer(one.answer)} for one in then.tried],
        "answer": _answer(then.answer),
        "trial": [str(one) for one in then.trials],
        "generation": then.generation,
    }


def history(then: Transaction) -> Iterator[str]:
    """Yield what was decided about a transaction as lines for people; they are not escaped."""
    client = then.connection.client or ("a program on this host" if then.connection.local else "an unknown client")
    account = f", logged in as {then.account}" if then.account else ""
    yield f"{then.time:%Y-%m-%d %H:%M:%S} UTC, {then.queue_id or 'without a queue id'}, generation {then.generation}"
    yield f"from {client}{account}, HELO {then.helo or '(none)'}"
    if then.sender is not None:
        yield f"MAIL FROM:{then.sender}"
    for one in then.tried:
        yield f"RCPT TO:{one.recipient.text} => {_shortly(one.answer) if one.answer else '250'}"
    if then.answer.verdict:
        yield f"verdict: {_shortly(then.answer)}" + (f", held as {shown_id(then.id)}" if then.id else "")
    elif then.sender is not None:
        yield "the message ended without a verdict"
    yield from (f"trial: {one}" for one in then.trials)


def was_accepted(then: Transaction) -> bool:
    """Return True if the message was accepted for every recipient."""
    passed = then.complete and not any(one.answer for one in then.tried)
    return passed and not then.answer.reply and then.answer.verdict in ("", "accept")


def _shortly(answer: Answer) -> str:
    why = " ".join(filter(None, (answer.rule, answer.entry, f"({answer.saw})" if answer.saw else "")))
    return " ".join(filter(None, (answer.verdict, f"by {why}" if why else "", answer.reply)))


def lines(explanation: Explanation) -> Iterator[str]:
    """Yield the explanation as lines for people; they are not escaped."""
    tried = list(zip(explanation.transaction.tried, explanation.retrial.tried, strict=False))
    yield from _stage(explanation.asked, Stage.CONNECT, "the client connects")
    sender = explanation.transaction.sender
    if sender is not None:
        yield from _stage(explanation.asked, Stage.MAIL, f"MAIL FROM:{sender}")
    for one, answer in tried:
        asked = [asked for asked in explanation.asked if asked.recipient is one.recipient]
        yield f"RCPT TO:{one.recipient.text}"
        yield from _rules(asked)
        if answer and not any(does(one) in ("reject", "tempfail") for one in asked):
            yield f"  (refused by {answer.rule})"
        yield f"  => {answer.reply or answer.verdict if answer else '250'}"
    yield from _stage(explanation.asked, Stage.HEADERS, "the header")
    yield from _stage(explanation.asked, Stage.END, "the end of the message")
    yield from _end(explanation)


def _stage(asked: Sequence[Asked], stage: Stage, title: str) -> Iterator[str]:
    found = [one for one in asked if one.stage is stage]
    if found:
        yield title
        yield from _rules(found)


def _end(explanation: Explanation) -> Iterator[str]:
    answer = explanation.retrial.answer
    why = " ".join(filter(None, (answer.rule, answer.entry, f"({answer.saw})" if answer.saw else "")))
    if answer.verdict:
        yield f"verdict: {answer.verdict}" + (f", by {why}" if why else "")
        yield f"reply: {answer.reply or '250, from the MTA'}"
    elif explanation.retrial.tried and None not in explanation.retrial.tried:
        yield "verdict: no recipient is accepted, so there is no message"
    if explanation.retrial.unknown:
        yield f"not certain: {explanation.retrial.unknown} is not known, and may change this"


def _rules(asked: Sequence[Asked]) -> Iterator[str]:
    for one in asked:
        saw = f": {one.finding.what}" if one.finding and one.finding.what else ""
        mode = f" ({one.clause.mode.value})" if one.clause.mode is not Mode.ENFORCE else ""
        yield f"  {one.clause.rule.name}{mode} -> {does(one)}{saw}"
        for looked in one.looked:
            yield f"    {looked.what}: {looked.value}" + ("" if looked.entries else _none(looked))
            matched = one.finding.matched if one.finding else None
            for entry, why in passed_over(looked, matched, one.session.today):
                yield f"      {entry.text}  {entry.where}" + (f"  ({why})" if why else "")


def _none(looked: Looked) -> str:
    """Say that no entry matches, if a table was looked at."""
    return ", no entry" if " in " in looked.what and "cap[" not in looked.what and " limits" not in looked.what else ""


def does(asked: Asked) -> str:
    """Return in a word what follows from a finding: a verdict, "unavailable", "spared", or "nothing"."""
    if asked.finding is None:
        return "nothing"
    verdict = asked.clause.verdict(asked.finding)
    if asked.finding.spared:
        return "spared"
    if verdict is CONTINUE:
        return "unavailable" if asked.finding.unavailable else "nothing"
    return verdict.action.value


def passed_over(looked: Looked, matched: Entry | None, today: date) -> Iterator[tuple[Entry, str]]:
    """Yield the entries that match, each with why it does not decide, "" for the one that does."""
    decided = False
    for entry in looked.entries:
        if not entry.valid_on(today):
            yield entry, f"expired on {entry.expires}"
        elif decided:
            yield entry, "less specific"
        else:
            decided = True
            yield entry, "decides: an exception" if entry.exception and entry != matched else ""
