"""The words of the milter protocol, version 6, and its frames: length (4 bytes, big endian), command, payload."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

VERSION = 6
CHUNK = 65535  # the most body bytes in one frame
Text = str | bytes


class Action(IntFlag):
    """What a filter may do to a message at its end."""

    NONE = 0
    ADDHDRS = 0x01
    CHGBODY = 0x02
    ADDRCPT = 0x04
    DELRCPT = 0x08
    CHGHDRS = 0x10
    QUARANTINE = 0x20
    CHGFROM = 0x40
    ADDRCPT_PAR = 0x80
    SETSYMLIST = 0x100


class Protocol(IntFlag):
    """What the MTA need not send (NO…), what the filter need not answer (NR_…), and what the MTA can do besides."""

    NONE = 0
    NOCONNECT = 0x1
    NOHELO = 0x2
    NOMAIL = 0x4
    NORCPT = 0x8
    NOBODY = 0x10
    NOHDRS = 0x20
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000
    HDR_LEADSPC = 0x100000


ALL_ACTIONS = Action(0x1FF)
ALL_PROTOCOL = Protocol(0x1FFFFF)


class Stage(IntEnum):
    """Where macros are sent; the numbers are those of the filter's own request."""

    CONNECT = 0
    HELO = 1
    MAIL = 2
    RCPT = 3
    DATA = 4
    EOM = 5
    EOH = 6


@dataclass(frozen=True)
class Event:
    """One event that an MTA reports: its command, the bits that switch off the event or its answer, and its stage."""

    name: str
    command: bytes
    off: Protocol = Protocol.NONE
    unanswered: Protocol = Protocol.NONE
    stage: Stage | None = None


CONNECT = Event("connect", b"C", Protocol.NOCONNECT, Protocol.NR_CONN, Stage.CONNECT)
HELO = Event("helo", b"H", Protocol.NOHELO, Protocol.NR_HELO, Stage.HELO)
MAIL = Event("mail", b"M", Protocol.NOMAIL, Protocol.NR_MAIL, Stage.MAIL)
RCPT = Event("rcpt", b"R", Protocol.NORCPT, Protocol.NR_RCPT, Stage.RCPT)
DATA = Event("data", b"T", Protocol.NODATA, Protocol.NR_DATA, Stage.DATA)
HEADER = Event("header", b"L", Protocol.NOHDRS, Protocol.NR_HDR)
EOH = Event("eoh", b"N", Protocol.NOEOH, Protocol.NR_EOH, Stage.EOH)
BODY = Event("body", b"B", Protocol.NOBODY, Protocol.NR_BODY)
EOM = Event("eom", b"E", stage=Stage.EOM)
UNKNOWN = Event("unknown", b"U", Protocol.NOUNKNOWN, Protocol.NR_UNKN)


def as_bytes(text: Text) -> bytes:
    """The bytes of an argument."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def as_text(data: bytes) -> str:
    """What a filter wrote, as text that loses nothing."""
    return data.decode("utf-8", "surrogateescape")


def strings(*texts: Text) -> bytes:
    """The texts, each ended by NUL."""
    return b"".join(as_bytes(text) + b"\0" for text in texts)


def frame(command: bytes, payload: bytes = b"") -> bytes:
    """One frame as it is sent."""
    return struct.pack("!I", len(payload) + 1) + command + payload
