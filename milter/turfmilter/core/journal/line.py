"""One line of the journal: a Transaction as a JSON object, whose keys are those of the log where it has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from json import JSONDecodeError, JSONEncoder, loads
from typing import Any

from turfmilter.core.address.mailbox import IPAddress, parse_address
from turfmilter.core.journal.transaction import Answer, NotLookedUp, Transaction, Tried
from turfmilter.core.report import Trial
from turfmilter.core.rule import Fact
from turfmilter.core.session import ClientNames, Connection, Known, Lookup, Recipient

VERSION = 1
_BEGINNING = f'{{"v":{VERSION},"time":"'  # of every line, so that its time is found without parsing it
_TIME = slice(len(_BEGINNING), len(_BEGINNING) + 26)
MOST_LINE_OCTETS = 65_536
_NO_NAMES = ClientNames()
_ENCODER = JSONEncoder(separators=(",", ":"))


class Unreadable(ValueError):
    """The line is damaged, or was written by another version of the program; the text says which."""


def encode(transaction: Transaction) -> bytes:
    """Return the line, in ASCII, with its newline.  If it were longer than MOST_LINE_OCTETS, it is left incomplete."""
    line = _encoded(transaction)
    if len(line) > MOST_LINE_OCTETS:
        line = _encoded(transaction._replace(tried=transaction.tried[:1], fields=None, trials=(), complete=False))
    if len(line) > MOST_LINE_OCTETS:
        line = _encoded(transaction._replace(tried=(), params=(), fields=None, trials=(), complete=False))
    return line


def _encoded(transaction: Transaction) -> bytes:
    # Strings stay as they are: JSON escapes whatever could end the line, and also what is not UTF-8.
    return (_ENCODER.encode(_object(transaction)) + "\n").encode()


def time_of(line: bytes) -> str:
    """Return the time in a line, as ISO 8601 without the zone, by which lines can be sorted; "" if it has none."""
    return line[_TIME].decode("ascii", "replace") if line.startswith(_BEGINNING.encode()) else ""


def decode(line: bytes) -> Transaction:
    """Return the transaction of a line.  Raises Unreadable."""
    try:
        found = loads(line)
        version = found["v"]
    except (JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError):
        raise Unreadable("damaged") from None
    if version != VERSION:
        raise Unreadable(f"version {version!r}")
    try:
        return _transaction(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unreadable("damaged") from None


def _object(t: Transaction) -> dict[str, Any]:
    """Return the object; what is absent or 0 is left out.  It is made for every message, so it is made in one go."""
    written = t.time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    found: dict[str, Any] = {"v": VERSION, "time": written, "session": t.session}
    _add_connection(found, t.connection)
    for key, value in (
        ("queue_id", t.queue_id),
        ("facts", t.facts and sorted(fact.name for fact in t.facts)),
        ("listener", t.listener),
        ("helo", t.helo),
        ("tls", t.tls),
        ("account", t.account),
        ("today", "" if t.today == t.time.date() else t.today.isoformat()),
        ("messages", t.messages),
        ("octets", t.octets),
        ("params", t.params),
        ("tried", [_tried(one) for one in t.tried]),
        *zip(Answer._fields, t.answer, strict=True),
        ("trial", t.trials),
        ("id", t.id),
        ("gen", t.generation),
        ("ms", t.ms),
        ("incomplete", not t.complete),
    ):
        if value:
            found[key] = value
    if t.sender is not None:
        found["sender"] = t.sender
    if t.fields is not None:
        found["fields"] = t.fields if type(t.fields) is dict else dict(t.fields)
    if t.size is not None:
        found["size"] = t.size
    return found


def _add_connection(found: dict[str, Any], connection: Connection) -> None:
    if connection.client:
        found["client"] = str(connection.client)
    if connection.name:
        found["name"] = connection.name  # what the MTA has confirmed is in here already
    elif (names := connection.names.known) is not None:
        if names != _NO_NAMES:
            found["names"] = names
        elif connection.client and not connection.local:
            found["looked_up"] = True
    if connection.local_address:
        found["local_address"] = str(connection.local_address)
    if connection.port:
        found["port"] = connection.port
    if connection.daemon:
        found["daemon"] = connection.daemon
    if connection.host:
        found["host"] = connection.host
    if connection.local:
        found["local"] = True


def _answer(answer: Answer) -> dict[str, str]:
    return {key: value for key, value in answer._asdict().items() if value}


def _tried(tried: Tried) -> dict[str, Any]:
    recipient, answer = tried
    found: dict[str, Any] = {"rcpt": recipient.text}
    if recipient.params:
        found["params"] = recipient.params
    if recipient.resolved:
        found["resolved"] = recipient.resolved
    if recipient.mailbox:
        found["mailbox"] = recipient.mailbox
    return found if answer is None else {**found, **_answer(answer)}


def _transaction(found: dict[str, Any]) -> Transaction:
    time = datetime.fromisoformat(_text(found, "time")).replace(tzinfo=UTC)
    fields = found.get("fields")
    return Transaction(
        time=time,
        session=_text(found, "session"),
        connection=_connection_of(found),
        facts=frozenset(Fact[name] for name in found.get("facts", ())),
        listener=_text(found, "listener"),
        helo=_text(found, "helo"),
        tls=bool(found.get("tls")),
        account=_text(found, "account"),
        today=date.fromisoformat(found["today"]) if "today" in found else time.date(),
        messages=_number(found, "messages"),
        octets=_number(found, "octets"),
        sender=_text(found, "sender") if "sender" in found else None,
        params=_texts(found.get("params", ())),
        tried=tuple(map(_tried_of, found.get("tried", ()))),
        fields=None if fields is None else {name: _texts(values) for name, values in fields.items()},
        size=_number(found, "size") if "size" in found else None,
        complete=not found.get("incomplete"),
        answer=_answer_of(found),
        trials=tuple(Trial(*_texts(one)) for one in found.get("trial", ())),
        queue_id=_text(found, "queue_id"),
        id=_text(found, "id"),
        generation=_number(found, "gen"),
        ms=_number(found, "ms"),
    )


def _connection_of(found: dict[str, Any]) -> Connection:
    client, local, name = _address(found, "client"), bool(found.get("local")), _text(found, "name")
    return Connection(
        client=client,
        name=name,
        names=_names_of(found, name, unknown=client is not None and not local),
        local_address=_address(found, "local_address"),
        port=_number(found, "port"),
        daemon=_text(found, "daemon"),
        host=_text(found, "host"),
        local=local,
    )


def _names_of(found: dict[str, Any], name: str, *, unknown: bool) -> Lookup:
    if name:
        return Known(ClientNames((name,), (name,)))
    if "names" in found:
        confirmed, claimed, failed = found["names"]
        return Known(ClientNames(_texts(confirmed), _texts(claimed), bool(failed)))
    return NotLookedUp() if unknown and not found.get("looked_up") else Known()


def _tried_of(found: dict[str, Any]) -> Tried:
    params, resolved, mailbox = _texts(found.get("params", ())), _text(found, "resolved"), _text(found, "mailbox")
    answer = _answer_of(found) if "verdict" in found else None
    return Tried(Recipient(_text(found, "rcpt"), params, resolved, mailbox), answer)


def _answer_of(found: dict[str, Any]) -> Answer:
    return Answer(*(_text(found, key) for key in Answer._fields))


def _address(found: dict[str, Any], key: str) -> IPAddress | None:
    return parse_address(found[key]) if key in found else None


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key, "")
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _texts(values: Iterable[Any] | Sequence[Any]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise TypeError
    return tuple(values)


def _number(found: dict[str, Any], key: str) -> int:
    value = found.get(key, 0)
    if not isinstance(value, int) or value < 0:
        raise TypeError(key)
    return value
