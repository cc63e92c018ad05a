"""What a held message is about: its envelope, author and subject, and whether its block can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, NamedTuple

from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.header import Header, decode_words, read_header
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.held.block import FORMAT, Block, read_block
from turfmilter.core.held.message import Message

HEADER_MOST = 262_144  # bytes of a header that are read: Postfix accepts 102,400, Sendmail 32,768
_SUBJECT_MOST = 1000  # characters

BY_HAND = "put in by hand: it has no block of ours"


@dataclass(frozen=True, slots=True)
class Summary:
    """One message in a few words.  `doubt` is the reason why it may not be what was held, "" if there is none.

    `size` is that of the message alone, in bytes.  `authors` are folded, sender and recipients are as received;
    without a block, the sender is None and the recipients are unknown.
    """

    time: datetime
    size: int
    sender: str | None = None
    authors: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    client: str = ""
    name: str = ""
    rule: str = ""
    entry: str = ""
    subject: str = ""
    doubt: str = ""


class Held(NamedTuple):
    """A held message, and its summary."""

    message: Message
    summary: Summary


def summarise(file: BinaryIO, id: str, size: int, written: datetime) -> Summary:
    """Return the summary of the message `id` in `file`, which has `size` bytes and was `written` then.

    It says nothing about the message's digest.  Raises OSError.
    """
    block, doubt = believed(file, id)
    header = _header(file, block)
    authors = tuple(map(str, _addresses(header, ("from",))))
    subject = decode_words(header.first("subject"))[:_SUBJECT_MOST]
    size -= block.offset if block else 0
    if block is None:
        return Summary(written, size, authors=authors, subject=subject, doubt=doubt)
    slip = block.slip
    return Summary(
        time=slip.time,
        size=size,
        sender=slip.sender.address,
        authors=authors,
        recipients=tuple(recipient.address for recipient in slip.recipients),
        client=slip.client,
        name=slip.name,
        rule=slip.rule,
        entry=slip.entry,
        subject=subject,
        doubt=doubt,
    )


def addresses_in(file: BinaryIO, id: str, fields: Iterable[str]) -> tuple[Mailbox, ...]:
    """Return the addresses in some header `fields` of an open file that is named `id`, folded.  Raises OSError."""
    file.seek(0)
    block, _ = believed(file, id)
    return _addresses(_header(file, block), fields)


def _header(file: BinaryIO, block: Block | None) -> Header:
    file.seek(block.offset if block else 0)
    return read_header(file.readline, HEADER_MOST)


def _addresses(header: Header, fields: Iterable[str]) -> tuple[Mailbox, ...]:
    values = (value.decode("utf-8", "surrogateescape") for name in fields for value in header.values(name))
    return read_authors(values).mailboxes


def checked(file: BinaryIO, id: str) -> tuple[Block | None, str]:
    """As `believed`, but also check every byte of the message against its digest."""
    block, doubt = believed(file, id)
    if block and not doubt and not block.intact(file):
        doubt = "the message was changed: its digest does not hold"
    return block, doubt


def believed(file: BinaryIO, id: str) -> tuple[Block | None, str]:
    """Return the block of the message `id`, None if there is none, and the reason to doubt it, "" if none."""
    try:
        block = read_block(file, id)
    except ValueError:
        return None, BY_HAND
    if block.format > FORMAT:
        return block, by_newer(block.format)
    if block.damage:
        return block, f"its block is damaged: {'; '.join(block.damage)}"
    if not block.sealed:
        return block, "its block was changed: the seal does not hold"
    if block.id != id:
        return block, f"its block belongs to {block.id}"
    return block, ""


def by_newer(format: int) -> str:
    """Return the reason why something of that `format`, which this version does not know, is not changed."""
    return (
        f"a newer version of turfmilter wrote it: it is in format {format}, this version knows formats up to {FORMAT}"
    )
