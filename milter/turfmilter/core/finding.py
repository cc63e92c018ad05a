"""What a rule saw (Finding), and what is done about it (Verdict)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from turfmilter.core.reply import Reply
from turfmilter.core.session import Recipient
from turfmilter.core.table.entry import Entry


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the header: with `value` "" the `index`-th field called `name` goes, else a field is added on top."""

    name: str
    value: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What `rule` saw: the table entry that matched if one did, and `what`, the log's `saw`.

    `what` is a few words, always the same for the same thing: what was measured ("312 of 300"), or what the names of
    rule and entry leave open ("routing off"); "" when they say it all.  Nothing that a sender wrote is in it.

    `unavailable` is the third answer: the rule could not find out (a DNS time-out, say),
    and its `on_error` decides.  `changes` is what the rule would have done to the header.
    `spared` is the fourth: the rule applies, but a key that `what` names exempts the whole message from it.
    """

    rule: str
    what: str = ""
    matched: Entry | None = None
    unavailable: bool = False
    changes: tuple[Change, ...] = ()
    spared: bool = False


class Action(Enum):
    """What is done with a connection, a recipient or a message; the values are the log's words."""

    CONTINUE = "continue"  # nothing decided yet
    ACCEPT = "accept"  # decided: no later event can change it
    CHANGE = "change"  # of the header, without any bearing on the rest
    HOLD = "hold"
    DISCARD = "discard"
    REJECT = "reject"
    TEMPFAIL = "tempfail"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one event.

    `reply` is what the client hears; it is None where the MTA's own 250 is meant.
    For HOLD and DISCARD `taken` are the recipients that the message is kept from;
    `partly` says that there are others, who get it.  `changes` are made to what is delivered.
    """

    action: Action
    finding: Finding | None = None
    reply: Reply | None = None
    taken: tuple[Recipient, ...] = ()
    partly: bool = False
    changes: tuple[Change, ...] = ()


CONTINUE = Verdict(Action.CONTINUE)
ACCEPT = Verdict(Action.ACCEPT)
