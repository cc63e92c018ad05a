"""Which held messages are wanted, and how they are grouped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from turfmilter.core.held.message import State
from turfmilter.core.table.interval import Interval
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, Name

Sender = Address | Glob | Domain | Local
By = Literal["sender", "author", "domain", "recipient", "client", "entry"]  # the domain is that of the sender

NOT_DELETED = frozenset(State) - {State.DELETED}
OPEN = NOT_DELETED - {State.RELEASED}  # what someone must still decide about


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions on held messages; None, "" and 0 are none.

    `entry` is the text of an entry or its place, `subject` any part of the subject in any case.
    `since` and `before` bound the time at which the message was held, `larger` and `smaller` its size in bytes.
    `states` are those of the flags; `also` are the ids of messages that are selected whatever their flags, because
    the ledger tells more: no store knows the states that follow from it.
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
    also: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """How many messages have `value` in common, which is escaped, and when the last of them was held."""

    value: str
    count: int
    last: datetime
