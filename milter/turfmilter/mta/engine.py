"""The port between a protocol engine and what it calls: both engines call the same methods with the same arguments."""

from __future__ import annotations

import socket
from typing import Any, Protocol


def text(argument: bytes) -> str:
    """An argument of MAIL or RCPT as text; bytes that are not UTF-8 become surrogates, so that none is lost."""
    return argument.decode("utf-8", "surrogateescape")


class Context(Protocol):
    """What a session can ask of its engine; the names and arguments are those of pymilter's milter.Context.

    Changes to a message can only be asked for at the end of the message, and only those that were negotiated; what
    cannot be done raises an exception.
    """

    def setsymlist(self, stage: int, macros: str, /) -> object:
        """Ask for `macros`, parted by blanks, at `stage` (SMFIM_*); during the negotiation only, once for each."""

    def getsymval(self, name: str, /) -> str | None:
        """The value of a macro, None if the MTA sent none.  Raises UnicodeDecodeError if it is not UTF-8."""

    def setreply(self, code: str, enhanced: str, text: str, /) -> object:
        """What the next REJECT (a code 5xx) or TEMPFAIL (4xx) says to the client."""

    def addheader(self, name: str, value: str, index: int, /) -> object:
        """Insert a header field at `index` of the header, 0 for its top (SMFIR_INSHEADER)."""

    def chgheader(self, name: str, index: int, value: str, /) -> object:
        """Change the field that is number `index`, from 1, of those with its name; "" removes it."""

    def delrcpt(self, recipient: str, /) -> object:
        """Remove a recipient; the MTA does not report one that it does not find."""

    def progress(self) -> object:
        """Tell the MTA that the answer takes longer; from any thread, while an answer is due."""


class Events(Protocol):
    """One connection of an MTA as an engine shows it, from its negotiation to its close.

    Each method but `abort` and `close`, which are not answered, returns a code of libmilter (SMFIS_*).  No two run at
    the same time, but not all of them in the same thread.
    """

    @property
    def may_wait(self) -> bool:
        """True if the next event may have to wait, for DNS or a disk: where one thread serves all, not in this one."""

    def negotiate(self, opts: list[int]) -> int:
        """Replace the actions and the protocol bits that the MTA offers in `opts` by those that are wanted."""

    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        """The client: (address, port, …), the path of a unix socket, or None, depending on the address `family`."""

    def hello(self, hostname: str) -> int:
        """HELO or EHLO."""

    def envfrom(self, sender: bytes, *params: bytes) -> int:
        """MAIL FROM, and its ESMTP parameters."""

    def envrcpt(self, to: bytes, *params: bytes) -> int:
        """RCPT TO, and its ESMTP parameters."""

    def data(self) -> int:
        """DATA."""

    def header(self, name: str, value: bytes) -> int:
        """One header field."""

    def eoh(self) -> int:
        """The end of the header."""

    def body(self, chunk: bytes) -> int:
        """A part of the body."""

    def eom(self) -> int:
        """The end of the message."""

    def abort(self) -> int:
        """The transaction is over without a message."""

    def close(self) -> int:
        """The connection is over."""


class Engine(Protocol):
    """What serves the connections of one process.  It can be told to take no more of them."""

    @property
    def open(self) -> bool:
        """True unless it was told to take no more connections."""

    def wait(self, control: socket.socket | None, seconds: float | None) -> bool:
        """Serve until `control` (if any) can be read (True) or `seconds` have passed (False; None: no limit)."""

    def shut(self) -> None:
        """Take no more connections for now; those in the backlog wait, or go to another worker."""

    def reopen(self) -> None:
        """Take connections again."""

    def close(self) -> None:
        """Take no more connections at all, and leave the listening socket to the other workers."""

    def occupied(self) -> bool:
        """True while a connection is open, even one that has said nothing yet."""
