"""What the index contains about one message, and its layout in SQLite."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.address.readings import read_sender
from turfmilter.core.escape import escape
from turfmilter.core.held.summary import Summary
from turfmilter.stores.conditions import Role, network_key
from turfmilter.stores.opened import HeldFile

VERSION = 4  # of the layout and of the summaries; an index with another version is built again

SCHEMA = """
CREATE TABLE held (
    key INTEGER PRIMARY KEY, id TEXT, part TEXT, file BLOB,
    inode TEXT, bytes TEXT, written TEXT, changed TEXT,
    state TEXT, time REAL, size INTEGER, sender TEXT, client TEXT, network BLOB, host TEXT,
    rule TEXT, entry TEXT, matched TEXT, subject TEXT, summary TEXT
);
CREATE INDEX held_file ON held (part, file, inode);
CREATE INDEX held_time ON held (time, file, state);
CREATE TABLE address (held INTEGER, role TEXT, domain TEXT, local TEXT);
CREATE INDEX address_mailbox ON address (role, domain, local, held);
CREATE INDEX address_held ON address (held);
CREATE TABLE listing (new TEXT, cur TEXT, files INTEGER);
"""
STORED = "key, part, file, inode, bytes, written, changed, summary"
INSERT = f"INSERT INTO held VALUES ({', '.join('?' * 20)})"

_FIELDS = tuple(field.name for field in fields(Summary))
_values = attrgetter(*_FIELDS)
_encode = json.JSONEncoder(default=datetime.isoformat).encode


class Marks(NamedTuple):
    """Shows whether a file was replaced or written to; `changed` (ctime) also whether it was renamed or linked.

    The numbers are texts: an inode may have 64 bits, and any program can set an mtime that has more in nanoseconds,
    but an INTEGER of SQLite has 63.
    """

    inode: str
    bytes: str
    written: str
    changed: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of the index, and the marks that show whether the file has changed since."""

    key: int
    file: HeldFile
    summary: Summary
    marks: Marks


def marks(status: os.stat_result) -> Marks:
    """Return the marks of a file; times are in nanoseconds."""
    return Marks(*map(str, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)))


def row(file: HeldFile, status: os.stat_result, summary: Summary) -> tuple[object, ...]:
    """Return the values for INSERT; SQLite chooses the key."""
    address = parse_address(summary.client)
    return (
        None,
        escape(file.id),
        file.part,
        os.fsencode(file.name),
        *marks(status),
        file.state.value,
        summary.time.timestamp(),
        summary.size,
        "" if summary.sender is None else escape(str(read_sender(summary.sender)) or "<>"),
        escape(summary.client),
        network_key(address.version, int(address)) if address else None,
        escape(summary.name),
        escape(summary.rule),
        escape(summary.entry),
        escape(summary.entry.rpartition(" ")[0]),
        escape(summary.subject.casefold()),
        _encode(_values(summary)),
    )


def mailboxes(summary: Summary) -> Iterator[tuple[Role, str, str]]:
    """Yield role, domain and local part of every address that can be searched for."""
    senders = () if summary.sender is None else (summary.sender,)
    envelope: tuple[tuple[Role, tuple[str, ...]], ...] = (("sender", senders), ("recipient", summary.recipients))
    for role, texts in envelope:
        for mailbox in map(read_sender, texts):
            yield role, escape(mailbox.domain), escape(mailbox.local)
    for author in summary.authors:
        local, _, domain = author.rpartition("@")  # folded already, and always with a domain
        yield "author", escape(domain), escape(local)


def stored(values: tuple[Any, ...]) -> Stored:
    """Return the row with the columns STORED.  Raises ValueError or TypeError if it is damaged."""
    key, part, name, *known, text = values
    told = dict(zip(_FIELDS, json.loads(text), strict=True))
    summary = Summary(
        **told
        | {
            "time": datetime.fromisoformat(told["time"]).astimezone(UTC),
            "authors": tuple(told["authors"]),
            "recipients": tuple(told["recipients"]),
        }
    )
    return Stored(key, HeldFile(os.fsdecode(name), part), summary, Marks(*known))
