"""Finding a transaction in the journal by what people have of it: a queue id, the id of a held message, a log line."""

from __future__ import annotations

import re
from collections.abc import Callable
from json import dumps, loads
from typing import Any, NamedTuple

from turfmilter.core.address.addressed import bare
from turfmilter.core.escape import escape
from turfmilter.core.held.message import fold_id
from turfmilter.core.journal.transaction import Transaction

_ID = re.compile(rb'"id":"([^"]*)"')
_FEWEST = 4  # characters of the beginning of an id: a shorter one would name a message by chance
# A line of our log, wherever it is in a line of syslog: the queue id, then key=value; see telemetry/line.py.
_LINE = re.compile(r"(?:^|\s)([A-Za-z0-9]+): ((?:client|name|helo|account|listener|sender)=.*)")
_PAIR = re.compile(r'([a-z]+)=((?:"(?:[^"\\]|\\.)*"|[^\s"])*)')
_ITEM = re.compile(r'"(?:[^"\\]|\\.)*"|[^,]+')


class NotSought(Exception):
    """The text names no message; it says what would."""


class Sought(NamedTuple):
    """What is looked for: `may_be` is a quick look at a line as it is written, `is_it` the whole question."""

    may_be: Callable[[bytes], bool]
    is_it: Callable[[Transaction], bool]


def seek(what: str) -> Sought:
    """Return what `what` names: a queue id, the id of a held message or its beginning, or a line of the log.

    Raises NotSought.
    """
    what = what.strip()
    if what.startswith("{"):
        return _of_record(_object(what))
    if line := _LINE.search(what):
        pairs = {key: _unquoted(value) for key, value in _PAIR.findall(line[2])}
        recipients = [_unquoted(one) for one in _ITEM.findall(dict(_PAIR.findall(line[2])).get("rcpt", ""))]
        return _of_record({"queue_id": line[1], **pairs, "rcpt": recipients})
    if not re.fullmatch(r"[A-Za-z0-9-]+", what):
        raise NotSought(f'"{what}" is neither a queue id, nor the id of a held message, nor a line of the log')
    return _by_id(what)


def _by_id(what: str) -> Sought:
    needle, beginning = f'"queue_id":{dumps(what)}'.encode(), fold_id(what)

    def may_be(line: bytes) -> bool:
        return needle in line or ((found := _ID.search(line)) is not None and is_held(found[1].decode("ascii")))

    def is_held(id: str) -> bool:
        return len(beginning) >= _FEWEST and fold_id(id).startswith(beginning)

    return Sought(may_be, lambda transaction: transaction.queue_id == what or is_held(transaction.id))


def _of_record(record: dict[str, Any]) -> Sought:
    """Return what a line of the log is about; one without a queue id is found by what else it has."""
    texts = {key: record.get(key, "") for key in ("queue_id", "client", "verdict", "rule", "sender")}
    recipients = record.get("rcpt", [])
    if not isinstance(recipients, list) or not all(isinstance(one, str) for one in (*texts.values(), *recipients)):
        raise NotSought("the line is damaged")
    if texts["queue_id"] not in ("", "NOQUEUE"):
        return _by_id(texts["queue_id"])
    if not texts["client"]:
        raise NotSought("the line has neither a queue id nor a client")

    def is_it(transaction: Transaction) -> bool:
        if str(transaction.connection.client) != texts["client"] or ("sender" in record) != _has_sender(transaction):
            return False
        if "sender" in record and escape(bare(transaction.sender or "")) != texts["sender"].removesuffix("<>"):
            return False
        tried = {escape(bare(one.recipient.text)) for one in transaction.tried}
        return {*filter(None, recipients)} <= tried and _was_answered(transaction, texts["verdict"], texts["rule"])

    needle = f'"client":{dumps(texts["client"])}'.encode()
    return Sought(lambda line: needle in line, is_it)


def _has_sender(transaction: Transaction) -> bool:
    return transaction.sender is not None


def _was_answered(transaction: Transaction, verdict: str, rule: str) -> bool:
    """Return True if the message or one of its recipients was answered so; "" fits any."""
    answers = [transaction.answer, *(one.answer for one in transaction.tried if one.answer)]
    return any(verdict in ("", answer.verdict) and rule in ("", answer.rule) for answer in answers)


def _object(text: str) -> dict[str, Any]:
    try:
        found = loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotSought("the line begins like JSON, but is damaged")
    return found


def _unquoted(value: str) -> str:
    # Only quotes: every other backslash is part of the escaped form in which values are compared.
    return value[1:-1].replace('\\"', '"') if value.startswith('"') else value
