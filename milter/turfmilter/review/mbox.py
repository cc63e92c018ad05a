"""Messages as an mbox (RFC 4155) with reversible quoting (mboxrd)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from turfmilter.core.escape import escape

_PIECE = 65_536
_FROM = re.compile(rb">*From ")


def mbox(message: BinaryIO, sender: str, time: datetime) -> Iterator[bytes]:
    """Yield one message of an mbox, which begins at the position of `message`.  Lines end with LF.

    The first line has the envelope sender and the time at which the message was held.
    """
    day = time.astimezone(UTC).strftime("%a %b %e %H:%M:%S %Y")
    # A blank in the address would make readers take its rest for the date.
    yield f"From {escape(sender or 'MAILER-DAEMON').replace(' ', '_')} {day}\n".encode()
    begins = True
    for line in _lines(message):
        yield b">" + line if begins and _FROM.match(line) else line
        begins = line.endswith(b"\n")
    yield b"\n" if begins else b"\n\n"


def _lines(message: BinaryIO) -> Iterator[bytes]:
    """Yield the lines with LF for CRLF; long lines in pieces, none of which ends between CR and LF."""
    while line := message.readline(_PIECE):
        if line.endswith(b"\r"):
            line += message.read(1)
        yield line[:-2] + b"\n" if line.endswith(b"\r\n") else line
