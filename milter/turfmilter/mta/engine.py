"""The port between a protocol engine and the callbacks: every engine calls the same methods with the same arguments."""

from __future__ import annotations

import socket
from typing import Any, Protocol


def text(argument: bytes) -> str:
    """Decode an argument of MAIL or RCPT; bytes that are not UTF-8 become surrogates, so that none is lost."""
    return argument.decode("utf-8", "surrogateescape")


class Context(Protocol):
    """What the callbacks can request from their engine; names and arguments are those of pymilter's milter.Context.

    A message can be changed only at its end (`Events.eom`), and only in the ways that were negotiated.  Any other
    change raises an exception.
    """

    def setsymlist(self, stage: int, macros: str, /) -> object:
        """Request `macros`, separated by blanks, at `stage` (SMFIM_*); only in `negotiate`, and once for each stage."""

    def getsymval(self, name: str, /) -> str | None:
        """Return the value of a macro, None if the MTA sent none.  Raises UnicodeDecodeError if it is not UTF-8."""

    def setreply(self, code: str, enhanced: str, text: str, /) -> object:
        """Set the reply that the client receives with the next REJECT (`code` is 5xx) or TEMPFAIL (4xx)."""

    def addheader(self, name: str, value: str, index: int, /) -> object:
        """Insert a header field at position `index`; 0 is the top of the header (SMFIR_INSHEADER)."""

    def chgheader(self, name: str, index: int, value: str, /) -> object:
        """Replace the value of the `index`-th field called `name`, counted from 1; "" removes the field."""

    def delrcpt(self, recipient: str, /) -> object:
        """Remove a recipient; if the MTA does not find it, nothing is reported."""

    def progress(self) -> object:
        """Tell the MTA that the answer takes longer.  Any thread may call it while an answer is due."""


class Events(Protocol):
    """The callbacks of one connection of an MTA, in the order of its events, from the negotiation to the close.

    Each method returns a code of libmilter (SMFIS_*); those of `abort` and `close` are ignored, because the MTA does
    not wait for an answer.  An engine never calls two methods of one connection at the same time, but may call them
    in different threads.
    """

    @property
    def may_wait(self) -> bool:
        """True if the next event may have to wait for DNS or a disk: not for a thread that serves others."""

    def negotiate(self, opts: list[int]) -> int:
        """Replace the actions `opts[0]` and protocol bits `opts[1]` that the MTA offers by those that are wanted."""

    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        """The client; by address `family`, `hostaddr` is (address, port, …), the path of a unix socket, or None."""

    def hello(self, hostname: str) -> int:
        """HELO or EHLO."""

    def envfrom(self, sender: bytes, *params: bytes) -> int:
        """MAIL FROM with its ESMTP parameters."""

    def envrcpt(self, to: bytes, *params: bytes) -> int:
        """RCPT TO with its ESMTP parameters."""

    def data(self) -> int:
        """DATA."""

    def header(self, name: str, value: bytes) -> int:
        """One header field."""

    def eoh(self) -> int:
        """The end of the header."""

    def body(self, chunk: bytes) -> int:
        """A part of the body, 65,535 bytes at most."""

    def eom(self) -> int:
        """The end of the message: its final answer."""

    def abort(self) -> int:
        """The end of a transaction without a message."""

    def close(self) -> int:
        """The end of the connection."""


class Engine(Protocol):
    """Serves the connections of one process, and can stop accepting new ones."""

    @property
    def open(self) -> bool:
        """True while new connections are accepted."""

    def wait(self, control: socket.socket | None, seconds: float | None) -> bool:
        """Serve until `control`, if any, is readable (True), or `seconds` have passed (False); None means no limit."""

    def shut(self) -> None:
        """Stop accepting for now; connections in the backlog wait, or are accepted by another worker."""

    def reopen(self) -> None:
        """Accept connections again after `shut`."""

    def close(self) -> None:
        """Stop accepting permanently; the listening socket remains open in the other workers."""

    def occupied(self) -> bool:
        """True while a connection is open, even one on which nothing has been sent."""
