"""What one file of the quarantine is about: its block, author and subject, and whether it can be believed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.header import Header, decode_words, read_header
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.stores.block import Block, read_block
from turfmilter.stores.format import FORMAT, by_newer

HEADER_MOST = 262_144  # bytes of a header that are read: Postfix takes 102,400, Sendmail 32,768
_SUBJECT_MOST = 1000  # characters

BY_HAND = "put in by hand: it has no block of ours"


@dataclass(frozen=True, slots=True)
class Summary:
    """One message in a few words.  `doubt` says why it is not what was held, "" when nothing speaks against it.

    `size` is that of the message alone.  `authors` are folded, sender and recipients as they came;
    without a block nobody knows them.
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


def summarise(file: BinaryIO, id: str) -> Summary:
    """The summary of an open file that is named `id`; it says nothing about the message's digest.  Raises OSError."""
    status = os.fstat(file.fileno())
    block, doubt = believed(file, id)
    header = _header(file, block)
    authors = tuple(map(str, _addresses(header, ("from",))))
    subject = decode_words(header.first("subject"))[:_SUBJECT_MOST]
    size = status.st_size - (block.offset if block else 0)
    if block is None:
        time = datetime.fromtimestamp(status.st_mtime, UTC)
        return Summary(time, size, authors=authors, subject=subject, doubt=doubt)
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
    """As `believed`, and what speaks against the message itself, of which every byte is read."""
    block, doubt = believed(file, id)
    if block and not doubt and not block.intact(file):
        doubt = "the message was changed: its digest does not hold"
    return block, doubt


def believed(file: BinaryIO, id: str) -> tuple[Block | None, str]:
    """The block of a file that is named `id`, and what speaks against it."""
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
