"""What a session can ask of the loop: macros, and what it tells the MTA besides the code that a callback returns."""

from __future__ import annotations

import struct
from collections.abc import Callable

import milter

from turfmilter.mta.loop.frames import frame, macro, strings

STAGES = 7  # at which macros come: connect, HELO, MAIL, RCPT, DATA, end of the header, end of the message


class NotNow(Exception):
    """The change was not negotiated, or is asked for before the end of the message."""


class LoopContext:
    """Implements engine.Context.  `send` is given each frame for the MTA."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._macros = [b""] * STAGES  # as they came: taken apart, macros of one byte would fill a hundred times more
        self._lists: dict[int, bytes] = {}
        self._reply = b""
        self.actions = 0  # those that were negotiated (SMFIF_*)
        self.at_end = False  # of a message: the only time for changes

    # What the session sets and takes.

    def keep(self, stage: int, macros: bytes) -> None:
        """The macros of `stage`, in place of those of an earlier message."""
        self._macros[stage] = macros

    def forget(self, first: int) -> None:
        """The macros of the stages from `first` on belong to what is over."""
        for stage in range(first, STAGES):
            self._macros[stage] = b""

    @property
    def requests(self) -> bytes:
        """The lists of macros as they follow the negotiated bits."""
        return b"".join(struct.pack("!I", stage) + strings(names) for stage, names in sorted(self._lists.items()))

    def reply(self, first: bytes) -> bytes:
        """What setreply was told, once, if its code begins with `first`; else nothing."""
        if not self._reply.startswith(first):
            return b""
        reply, self._reply = self._reply, b""
        return reply

    # What callbacks call.

    def setsymlist(self, stage: int, macros: str, /) -> None:
        """Ask for macros at a stage."""
        self._lists[stage] = macros.encode()

    def getsymval(self, name: str, /) -> str | None:
        """The value from the latest stage that has one; {x} and x are the same.  Raises UnicodeDecodeError."""
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
