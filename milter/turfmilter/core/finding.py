"""What a rule saw (Finding), and what is done about it (Verdict)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from turfmilter.core.reply import Reply
from turfmilter.core.session import Recipient
from turfmilter.core.table.entry import Entry


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the header: add a field `name` with `value` at the top, or, if `value` is "", remove one.

    `index` tells which of the fields called `name` is removed, counted from 1 (as SMFIR_CHGHEADER does).
    """

    name: str
    value: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What `rule` saw: the table entry that matched, if any, and `what`, which is logged as `saw`.

    `what` is a few words, always the same for the same cause: what was measured ("312 of 300"), or what the names of
    rule and entry do not tell ("routing off"), else "".  It contains nothing that a sender wrote.

    `unavailable` is True if the rule could not decide, for example after a DNS timeout; its `on_error` then applies.
    `spared` is True if the rule applies, but the key named in `what` exempts the whole message from it.
    `changes` are the changes that the rule makes to the header.
    """

    rule: str
    what: str = ""
    matched: Entry | None = None
    unavailable: bool = False
    changes: tuple[Change, ...] = ()
    spared: bool = False


class Action(Enum):
    """What is done with a connection, a recipient or a message; the values are those in the log."""

    CONTINUE = "continue"  # nothing decided yet
    ACCEPT = "accept"  # decided: no later event can change it
    CHANGE = "change"  # only the header is changed; the other rules decide about the message
    HOLD = "hold"
    DISCARD = "discard"
    REJECT = "reject"
    TEMPFAIL = "tempfail"


REFUSALS = (Action.REJECT, Action.TEMPFAIL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one event.

    `reply` is what the client receives, None for the MTA's own 250.
    For HOLD and DISCARD, `taken` are the recipients from whom the message is withheld, and `partly` is True if there
    are others, to whom it is delivered.  `changes` are made to the message that is delivered.
    """

    action: Action
    finding: Finding | None = None
    reply: Reply | None = None
    taken: tuple[Recipient, ...] = ()
    partly: bool = False
    changes: tuple[Change, ...] = ()


CONTINUE = Verdict(Action.CONTINUE)
ACCEPT = Verdict(Action.ACCEPT)
