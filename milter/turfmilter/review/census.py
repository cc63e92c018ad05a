"""What is in a quarantine, as numbers, and who has never had mail held there before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from turfmilter.core.address.readings import read_sender
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import OUTCOME, Line
from turfmilter.core.held.message import State, shown_id
from turfmilter.core.held.selection import Selection
from turfmilter.core.held.summary import Held
from turfmilter.core.ports import HeldMessages
from turfmilter.review.fate import RELEASE

# A message is visible only some time after the time that it records: when it is safe on disk.
_LATE = timedelta(minutes=2)
_EVERY = frozenset(State)


@dataclass(frozen=True, slots=True)
class Census:
    """The messages of one quarantine, or of several, by state; their size in bytes; and when the oldest was held.

    `used` is the share of the room that is in use; with 1 or more, no further message is held.
    """

    messages: Counter[State] = field(default_factory=Counter)
    size: int = 0
    oldest: datetime | None = None  # of the unreviewed ones
    used: float = 0.0

    def __add__(self, other: Census) -> Census:
        oldest = min((one.oldest for one in (self, other) if one.oldest), default=None)
        return Census(self.messages + other.messages, self.size + other.size, oldest, max(self.used, other.used))


def newcomers(held: HeldMessages, since: datetime, started: datetime, keep: timedelta) -> Iterator[dict[str, Any]]:
    """Yield the first message of each sender of whom messages were held after `since`, but none within `keep` before.

    `since` is the time of the previous call.  It looks back a little further, but not to before `started`, so a sender
    may be yielded by two calls.
    """
    begin = max(since - _LATE, started)
    recent = held.newest(Selection(since=begin, states=_EVERY))
    if not recent:
        return
    groups = held.groups(Selection(since=begin - keep, before=begin, states=_EVERY), "sender")
    known = {group.value for group in groups}
    for one in reversed(recent):  # the oldest first
        sender = _sender(one)
        if one.summary.sender is not None and sender not in known:
            known.add(sender)
            yield _told(one, sender)


def outcomes(lines: Iterable[Line]) -> Counter[str]:
    """Return how many recipients of releases the next hop accepted or refused, and to how many nothing was sent."""
    return Counter(
        "released" if reply.startswith("2") else "not_sent" if reply.startswith("not") else "refused"
        for line in lines
        if line.act == RELEASE and line.stage == OUTCOME
        for reply in line.replies
    )


def _sender(one: Held) -> str:
    """Return the sender as messages are grouped by it."""
    return escape(str(read_sender(one.summary.sender or "")) or "<>")


def _told(one: Held, sender: str) -> dict[str, Any]:
    """Return what an event tells about a message.  Texts of senders are escaped."""
    summary = one.summary
    return {
        "id": shown_id(one.message.id),
        "held": summary.time.isoformat(timespec="seconds"),
        "sender": sender,
        "recipients": [escape(recipient) for recipient in summary.recipients],
        "client": escape(summary.client),
        "rule": escape(summary.rule),
        "entry": escape(summary.entry),
        "subject": escape(summary.subject),
        "quarantine": one.message.quarantine,
    }
