"""Everything in the program that reads bytes from outside, each as a function of bytes that must not fail."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rig.ownworker import service
from turfmilter.compose import build_generation
from turfmilter.config.loader import ConfigError, configure, load
from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.header import decode_words, read_header
from turfmilter.core.address.readings import read, read_resolved, read_sender, read_senders
from turfmilter.core.escape import escape
from turfmilter.core.held.block import read_block
from turfmilter.core.held.ledger import encode_line, parse_line
from turfmilter.core.ports import Level
from turfmilter.core.report import Record
from turfmilter.core.table import entry
from turfmilter.core.table.pattern import parse_host, parse_sender
from turfmilter.mta.callbacks import Callbacks
from turfmilter.mta.loop.frames import Broken, Frames, frame
from turfmilter.mta.loop.session import Session
from turfmilter.review.contents import read_contents
from turfmilter.telemetry.line import text

Reader = Callable[[bytes], None]

_MOST_HEADER = 1 << 16  # bytes
_CONFIG = Path("/nowhere/turfmilter.toml")
_FAILED = re.compile(r": .* at \w+:\d+ in ")
_CONVERSATION: dict[str, object] = {
    "state": "",
    "domains": ["rig.test"],
    "reverse_name": {"remove_forged": True},
    "limits": {"message_size": 2000, "session_size": 5000},
    "turf": {"tables": ["@turf.test", "<>"], "match": ["sender", "author", "originator"], "discard": True},
}


def address(data: bytes) -> None:
    """A recipient or sender, as the MTA passes it."""
    text = data.decode(errors="surrogateescape")
    for mailbox in read(text).mailboxes:
        str(mailbox)
    str(read_sender(text))
    assert read_senders(text), "a sender is always something"
    read_resolved(text)


def authors(data: bytes) -> None:
    """The fields From: of a message, one on each line."""
    found = read_authors([line.decode(errors="surrogateescape") for line in data.split(b"\n")])
    for mailbox in found.mailboxes:
        str(mailbox)


def header(data: bytes) -> None:
    """A message, of which turfctl shows the header and the parts."""
    for field in read_header(io.BytesIO(data).readline, _MOST_HEADER).fields:
        escape(field.text).encode()
    escape(decode_words(data)).encode()
    contents = read_contents(io.BytesIO(data))
    for said in (contents.text or "", *(part.name + part.type for part in contents.parts)):
        escape(said).encode()


def table(data: bytes) -> None:
    """A table of hosts and one of senders."""
    where = entry.Where("table", 1)
    for line in data.decode(errors="replace").split("\n"):
        for parse in (parse_host, parse_sender):
            read_entry, problems = entry.parse_line(line, where, parse)
            assert read_entry is None or read_entry.text
            assert all(map(str, problems))


def configuration(data: bytes) -> None:
    """A configuration, without any other file."""
    with suppress(ConfigError):
        load(_CONFIG, kept={str(_CONFIG): data.decode(errors="replace")})


def block(data: bytes) -> None:
    """A file in a quarantine."""
    with suppress(ValueError):
        found = read_block(io.BytesIO(data))
        assert 0 < found.offset <= len(data)
        found.intact(io.BytesIO(data))


def ledger(data: bytes) -> None:
    """A line of a ledger: what is read is written again as it was meant."""
    line = parse_line(data)
    assert line is None or parse_line(encode_line(line)) == line


class _Heard:
    """A log that only says whether a callback has failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def write(self, record: Record) -> None:
        """Make the line, as the log does."""
        text(record)

    def say(self, level: Level, text: str) -> None:
        """Remember the failure of a callback, which is an exception in our own code."""
        if _FAILED.search(text):
            self.failed.append(f"{level}: {text}")


def conversation(data: bytes) -> None:
    """What an MTA sends over one connection, after the negotiation.  Nothing is held, and no name is looked up."""
    log, sent, frames = _Heard(), list[bytes](), Frames()
    generation = build_generation(configure(_CONVERSATION, Path("/")))
    serving = service(log, lambda: generation)
    session = Session(lambda context: Callbacks(context, serving), sent.append, lambda _: None)
    frames.feed(frame(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF)) + data)
    with suppress(Broken):
        while not session.over and (one := frames.next()):
            session.receive(*one)
    session.end()
    assert not log.failed, log.failed


TARGETS: dict[str, Reader] = {
    "address": address,
    "authors": authors,
    "header": header,
    "table": table,
    "configuration": configuration,
    "block": block,
    "ledger": ledger,
    "conversation": conversation,
}
