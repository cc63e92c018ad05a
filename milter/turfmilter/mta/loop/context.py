"""The context that the callbacks of one session receive: macros, replies, and changes to the message."""

from __future__ import annotations

import struct
from collections.abc import Callable

import milter

from turfmilter.mta.loop.frames import frame, macro, strings

STAGES = 7  # with macros of their own: connect, HELO, MAIL, RCPT, DATA, end of header, end of message


class NotNow(Exception):
    """The change was not negotiated, or is requested before the end of the message."""


class LoopContext:
    """Implements engine.Context.  `send` is called with each frame for the MTA."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._macros = [b""] * STAGES  # as they arrived: a dict of 64 KiB of short names would take megabytes
        self._lists: dict[int, bytes] = {}
        self._reply = b""
        self.actions = 0  # those that were negotiated (SMFIF_*)
        self.at_end = False  # of a message: the only time for changes

    # For the session.

    def keep(self, stage: int, macros: bytes) -> None:
        """Replace the macros of `stage`, a number below STAGES; `macros` are names and values, each ended by NUL."""
        self._macros[stage] = macros

    def forget(self, first: int) -> None:
        """Forget the macros of the stages from `first` on: they belong to an event that is over."""
        for stage in range(first, STAGES):
            self._macros[stage] = b""

    @property
    def requests(self) -> bytes:
        """The requested macros by stage, as they are sent after the negotiated bits."""
        return b"".join(struct.pack("!I", stage) + strings(names) for stage, names in sorted(self._lists.items()))

    def reply(self, first: bytes) -> bytes:
        """Return the reply of `setreply` and forget it, if its code begins with the digit `first`; otherwise b""."""
        if not self._reply.startswith(first):
            return b""
        reply, self._reply = self._reply, b""
        return reply

    # For the callbacks: see engine.Context.

    def setsymlist(self, stage: int, macros: str, /) -> None:
        """Request macros at a stage."""
        self._lists[stage] = macros.encode()

    def getsymval(self, name: str, /) -> str | None:
        """Return the value of the latest stage that has one; "{x}" and "x" are the same.  Raises UnicodeDecodeError."""
        plain = name[1:-1] if len(name) == 3 and name[0] == "{" else name
        names = (plain.encode(), f"{{{plain}}}".encode()) if len(plain) == 1 else (name.encode(),)
        for macros in filter(None, reversed(self._macros)):
            for one in names:
                value = macro(macros, one)
                if value is not None:
                    return value.decode()
        return None

    def setreply(self, code: str, enhanced: str, text: str, /) -> None:
        """Keep the reply for the next refusal."""
        self._reply = f"{code} {enhanced} {text}".encode()

    def addheader(self, name: str, value: str, index: int, /) -> None:
        """SMFIR_INSHEADER."""
        self._change(b"i", milter.ADDHDRS, struct.pack("!I", index) + strings(name.encode(), value.encode()))

    def chgheader(self, name: str, index: int, value: str, /) -> None:
        """SMFIR_CHGHEADER."""
        self._change(b"m", milter.CHGHDRS, struct.pack("!I", index) + strings(name.encode(), value.encode()))

    def delrcpt(self, recipient: str, /) -> None:
        """SMFIR_DELRCPT."""
        self._change(b"-", milter.DELRCPT, strings(recipient.encode()))

    def progress(self) -> None:
        """SMFIR_PROGRESS."""
        self._send(frame(b"p"))

    def _change(self, command: bytes, action: int, payload: bytes) -> None:
        if not (self.at_end and self.actions & action):
            raise NotNow(f"the MTA does not accept {command.decode()!r} now")
        self._send(frame(command, payload))
