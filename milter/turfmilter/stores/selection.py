"""Which held messages are meant: conditions that all hold, and what they are in the words of the index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from turfmilter.core.escape import escape
from turfmilter.core.table.interval import Interval
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, Name
from turfmilter.stores.opened import State

Role = Literal["sender", "author", "recipient"]
Sender = Address | Glob | Domain | Local
Condition = tuple[str, tuple[object, ...]]

NOT_DELETED = frozenset(State) - {State.DELETED}


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions on held messages; None, "" and 0 are none.

    `entry` is the text of an entry or its place, `subject` any part of the subject in any case.
    `since` and `before` bound the time at which the message was held, `larger` and `smaller` its size in bytes.
    """

    sender: Sender | None = None
    author: Sender | None = None
    recipient: Sender | None = None
    client: Interval | Name | None = None
    rule: str = ""
    entry: str = ""
    subject: str = ""
    since: datetime | None = None
    before: datetime | None = None
    larger: int = 0
    smaller: int = 0
    states: frozenset[State] = NOT_DELETED

    def where(self) -> Condition:
        """The conditions as SQL, with its parameters."""
        parts, values = zip(*self._conditions(), strict=True)
        return " AND ".join(parts), tuple(value for some in values for value in some)

    def _conditions(self) -> Iterator[Condition]:
        states = sorted(state.value for state in self.states)
        yield f"state IN ({', '.join('?' * len(states))})", tuple(states)
        roles: tuple[tuple[Role, Sender | None], ...] = (
            ("sender", self.sender),
            ("author", self.author),
            ("recipient", self.recipient),
        )
        for role, pattern in roles:
            if pattern is not None:
                condition, values = _mailbox(pattern)
                yield f"key IN (SELECT held FROM address WHERE role = ? AND {condition})", (role, *values)
        if self.client is not None:
            yield _client(self.client)
        if self.rule:
            yield "rule = ?", (escape(self.rule),)
        if self.entry:
            entry = escape(self.entry)
            yield r"(matched = ? OR entry = ? OR entry LIKE ? ESCAPE '\')", (entry, entry, f"% {like(entry)}")
        if self.subject:
            yield r"subject LIKE ? ESCAPE '\'", (f"%{like(escape(self.subject.casefold()))}%",)
        if self.since:
            yield "time >= ?", (self.since.timestamp(),)
        if self.before:
            yield "time < ?", (self.before.timestamp(),)
        if self.larger:
            yield "size > ?", (self.larger,)
        if self.smaller:
            yield "size < ?", (self.smaller,)


def network_key(version: int, address: int) -> bytes:
    """An address so that those of one network follow each other."""
    return bytes([version]) + address.to_bytes(16, "big")


def like(text: str) -> str:
    r"""`text` as part of a LIKE pattern with ESCAPE '\'."""
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
