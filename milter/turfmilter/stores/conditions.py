"""A Selection as a condition in SQL on the tables of the index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

from turfmilter.core.escape import escape
from turfmilter.core.held.selection import Selection, Sender
from turfmilter.core.table.interval import Interval
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, Name

Role = Literal["sender", "author", "recipient"]
Condition = tuple[str, tuple[object, ...]]


def where(selection: Selection) -> Condition:
    """Return the conditions as SQL, with its parameters."""
    parts, values = zip(*_conditions(selection), strict=True)
    return " AND ".join(parts), tuple(value for some in values for value in some)


def _conditions(selection: Selection) -> Iterator[Condition]:
    states = sorted(state.value for state in selection.states)
    condition = f"state IN ({', '.join('?' * len(states))})"
    if selection.also:  # one parameter for all ids: SQLite limits the number of parameters
        also = json.dumps(sorted(map(escape, selection.also)))
        yield f"({condition} OR id IN (SELECT value FROM json_each(?)))", (*states, also)
    else:
        yield condition, tuple(states)
    roles: tuple[tuple[Role, Sender | None], ...] = (
        ("sender", selection.sender),
        ("author", selection.author),
        ("recipient", selection.recipient),
    )
    for role, pattern in roles:
        if pattern is not None:
            condition, values = _mailbox(pattern)
            yield f"key IN (SELECT held FROM address WHERE role = ? AND {condition})", (role, *values)
    if selection.client is not None:
        yield _client(selection.client)
    if selection.rule:
        yield "rule = ?", (escape(selection.rule),)
    if selection.entry:
        entry = escape(selection.entry)
        yield r"(matched = ? OR entry = ? OR entry LIKE ? ESCAPE '\')", (entry, entry, f"% {like(entry)}")
    if selection.subject:
        yield r"subject LIKE ? ESCAPE '\'", (f"%{like(escape(selection.subject.casefold()))}%",)
    if selection.since:
        yield "time >= ?", (selection.since.timestamp(),)
    if selection.before:
        yield "time < ?", (selection.before.timestamp(),)
    if selection.larger:
        yield "size > ?", (selection.larger,)
    if selection.smaller:
        yield "size < ?", (selection.smaller,)


def network_key(version: int, address: int) -> bytes:
    """Return a key for an address; the addresses of one network are consecutive."""
    return bytes([version]) + address.to_bytes(16, "big")


def like(text: str) -> str:
    r"""Return `text` as part of a LIKE pattern with ESCAPE '\'."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _client(pattern: Interval | Name) -> Condition:
    if isinstance(pattern, Interval):
        first, last = (network_key(pattern.version, end) for end in (pattern.first, pattern.last))
        return "network BETWEEN ? AND ?", (first, last)
    return _name("host", pattern.domain, exact=pattern.exact)


def _mailbox(pattern: Sender) -> Condition:
    match pattern:
        case Address(local, domain):
            return "domain = ? AND local = ?", (escape(domain), escape(local))
        case Glob(local, domain):
            return r"domain = ? AND local LIKE ? ESCAPE '\'", (escape(domain), like(escape(local)).replace("*", "%"))
        case Domain(domain, exact):
            return _name("domain", domain, exact=exact)
        case Local(local):
            return "local = ?", (escape(local),)


def _name(column: str, domain: str, *, exact: bool) -> Condition:
    folded = escape(domain)
    if exact:
        return f"{column} = ?", (folded,)
    return rf"({column} = ? OR {column} LIKE ? ESCAPE '\')", (folded, f"%.{like(folded)}")
