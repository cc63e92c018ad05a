"""Messages as an mbox (RFC 4155), of the kind that can be undone: mboxrd."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from turfmilter.core.escape import escape

_PIECE = 65_536
_FROM = re.compile(rb">*From ")


def mbox(message: BinaryIO, sender: str, time: datetime) -> Iterator[bytes]:
    """One message of an mbox; `message` stands where it begins.  Lines end with LF, as an mbox has them.

    The first line tells the sender of the envelope and when it was held.
    """
    day = time.astimezone(UTC).strftime("%a %b %e %H:%M:%S %Y")
    # No blank may stand there: readers take the rest for the date.
    yield f"From {escape(sender or 'MAILER-DAEMON').replace(' ', '_')} {day}\n".encode()
    begins = True
    for line in _lines(message):
        yield b">" + line if begins and _FROM.match(line) else line
        begins = line.endswith(b"\n")
    yield b"\n" if begins else b"\n\n"


def _lines(message: BinaryIO) -> Iterator[bytes]:
    """The lines with LF for CRLF; a long one in pieces, none of which ends between the two."""
    while line := message.readline(_PIECE):
        if line.endswith(b"\r"):
            line += message.read(1)
        yield line[:-2] + b"\n" if line.endswith(b"\r\n") else line
