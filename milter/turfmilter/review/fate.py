"""What happened to a held message for each of its recipients, according to the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from turfmilter.core.held.ledger import INTENT, OUTCOME, Line
from turfmilter.core.held.message import Message, State

RELEASE = "release"
DONE, NOT_DONE = "done", "not done"  # the notes of outcomes, except for releases, which have the replies of the MTA
_EXPIRE = "expire"


class Fate(Enum):
    """How releasing a message to one recipient ended."""

    RELEASED = "released"  # the next hop replied 2xx
    REFUSED = "refused"  # it replied 4xx or 5xx, or nothing was sent
    UNKNOWN = "unknown"  # it may have been sent: only the MTA's log tells


def fates(lines: Iterable[Line]) -> dict[str, Fate]:
    """Return the fate for each recipient named in a release of one message; `lines` are its lines in their order.

    SMTP cannot deliver exactly once (RFC 5321 §4.5.4.1): a recipient of an attempt without an outcome may have the
    message, whatever the results of later attempts, until one of them succeeds.
    """
    found: dict[str, Fate] = {}
    unfinished: dict[str, Line] = {}
    for line in lines:
        if line.act != RELEASE:
            continue
        if line.stage == INTENT:
            unfinished[line.attempt] = line
        elif line.stage == OUTCOME:
            unfinished.pop(line.attempt, None)
            for recipient, reply in zip(line.recipients, line.replies, strict=False):
                if found.get(recipient) is not Fate.RELEASED:
                    found[recipient] = Fate.RELEASED if reply.startswith("2") else Fate.REFUSED
    for line in unfinished.values():
        for recipient in line.recipients:
            if found.get(recipient) is not Fate.RELEASED:
                found[recipient] = Fate.UNKNOWN
    return found


def expired(lines: Iterable[Line]) -> bool | None:
    """Return whether a message was removed according to `lines`; None if an attempt has no outcome."""
    attempts: dict[str, bool | None] = {}
    for line in lines:
        if line.act == _EXPIRE:
            # Older versions wrote a single line, with the stage "done".
            ended = line.stage == DONE or (line.stage == OUTCOME and line.note == DONE)
            attempts[line.attempt] = None if line.stage == INTENT else ended
    found = set(attempts.values())
    return True if True in found else None if None in found else False


def complete(recipients: Iterable[str], known: Mapping[str, Fate]) -> bool:
    """Return whether no recipient is waiting for the message any more."""
    return all(known.get(recipient) is Fate.RELEASED for recipient in recipients)


def state(message: Message, recipients: Collection[str], known: Mapping[str, Fate]) -> State:
    """Return the state of a message: that of its flags, unless the ledger tells more."""
    flagged = message.state
    if flagged is State.DELETED:
        return flagged
    about = [known.get(recipient) for recipient in recipients]
    if Fate.UNKNOWN in about:
        return State.UNKNOWN
    if flagged is State.RELEASED or Fate.RELEASED not in about:
        return flagged
    return State.RELEASED if complete(recipients, known) else State.PARTLY_RELEASED


def by_id(lines: Iterable[Line]) -> Mapping[str, Sequence[Line]]:
    """Return `lines` grouped by message, in their order."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        found[line.id].append(line)
    return found
