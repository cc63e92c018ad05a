"""Finding a transaction in the journal by what people have of it: a queue id, the id of a held message, a log line."""

from __future__ import annotations

import re
from collections.abc import Callable
from json import dumps, loads
from typing import Any, NamedTuple

from turfmilter.core.address.addressed import bare
from turfmilter.core.held.message import fold_id
from turfmilter.core.journal.transaction import Transaction

_ID = re.compile(rb'"id":"([^"]*)"')
_FEWEST = 4  # characters of the beginning of an id: a shorter one would name a message by chance
# A line of our log, wherever it is in a line of syslog: the queue id, then key=value; see telemetry/line.py.
_LINE = re.compile(r"(?:^|\s)([A-Za-z0-9]+): ((?:client|name|helo|account|listener|sender)=.*)")
_PAIR = re.compile(r'([a-z]+)=("(?:[^"\\]|\\.)*"|\S*)')


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
        return _of_record({"queue_id": line[1], **pairs, "rcpt": pairs.get("rcpt", "").split(",")})
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
    """Return what a line of the log is about; one without a queue id is found by client, sender and recipient."""
    if record.get("queue_id", "NOQUEUE") != "NOQUEUE":
        return _by_id(record["queue_id"])
    client, sender, recipients = record.get("client", ""), record.get("sender"), record.get("rcpt", [])
    if not client:
        raise NotSought("the line has neither a queue id nor a client")

    def is_it(transaction: Transaction) -> bool:
        tried = {bare(one.recipient.text) for one in transaction.tried}
        return (
            str(transaction.connection.client) == client
            and (sender is None or bare(transaction.sender or "") == sender.strip("<>"))
            and {*filter(None, recipients)} <= tried
        )

    needle = f'"client":{dumps(client)}'.encode()
    return Sought(lambda line: needle in line, is_it)


def _object(text: str) -> dict[str, Any]:
    try:
        found = loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotSought("the line begins like JSON, but is damaged")
    return found


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
