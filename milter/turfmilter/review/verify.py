"""Checking that files, flags and ledger of a quarantine agree with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turfmilter.core.held.block import Block
from turfmilter.core.held.ledger import Line
from turfmilter.core.held.message import Flag, Message, NotAMessage
from turfmilter.core.held.summary import checked
from turfmilter.core.ports import HeldMessages, Progress
from turfmilter.review.fate import Fate, by_id, complete, expired, fates

Discord = tuple[str, str]  # an id, or "ledger", and what is wrong with it


def verify(held: HeldMessages, progress: Progress) -> Iterator[Discord]:
    """Yield everything that does not agree.  Reads every message completely.  Raises LedgerError and OSError."""
    yield from (("ledger", f"line {number} is damaged") for number in held.ledger.damaged())
    lines = by_id(held.ledger.lines())
    seen = set()
    for message in progress(list(held.every())):
        seen.add(message.id)
        try:
            yield from ((message.id, wrong) for wrong in _wrong(held, message, lines.get(message.id, ())))
        except NotAMessage as strange:
            yield message.id, str(strange)
        except FileNotFoundError:
            continue  # its flags changed, or it expired, since it was listed
    for id, about in lines.items():
        if id not in seen and expired(about) is False:  # nothing but expiry removes messages
            yield id, "it is gone, and the ledger has no line about its expiry"


def _wrong(held: HeldMessages, message: Message, lines: Sequence[Line]) -> Iterator[str]:
    with held.open(message) as opened:
        block, doubt = checked(opened.file, message.id)
    if doubt:
        yield doubt
    if expired(lines):
        yield "the ledger says that it expired, but it is there"
    if block:
        yield from _wrongly_released(message, block, fates(lines))


def _wrongly_released(message: Message, block: Block, known: dict[str, Fate]) -> Iterator[str]:
    held = {recipient.address for recipient in block.slip.recipients}
    unknown = sorted(address for address in held if known.get(address) is Fate.UNKNOWN)
    if unknown:
        yield f"unknown: a release to {', '.join(unknown)} ended without an answer; see the MTA's log"
    released = complete(held, known)
    if Flag.RELEASED in message.flags and not released:
        yield "it is marked released, but the ledger knows of no release to all"
    if released and Flag.RELEASED not in message.flags:
        yield "the ledger says that it was released to all, but it is not marked released"
    for address in sorted(known.keys() - held):
        yield f"the ledger says that it was released to {address}, which is not one of its recipients"
