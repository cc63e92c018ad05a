"""A small pymilter program that does what the message asks for; the rig itself is tested against it.

Usage: scriptedfilter.py SOCKET [PROTOCOL-BITS [STAGE=MACROS …]]

The local part of sender and recipient is the answer (`reject`, `reply`, `leave`, `reject-at-data`, `late`, …);
anything else continues.  `change` makes one change of each kind.  X-Saw fields at the end list what was seen.
"""

from __future__ import annotations

import sys
from typing import Any

import Milter

PROTOCOL = int(sys.argv[2], 0) if len(sys.argv) > 2 else 0
SYMLISTS = dict(argument.split("=", 1) for argument in sys.argv[3:])
VERDICTS = {
    "accept": Milter.ACCEPT,
    "discard": Milter.DISCARD,
    "reject": Milter.REJECT,
    "tempfail": Milter.TEMPFAIL,
}


class Scripted(Milter.Base):  # type: ignore[misc]
    """One session."""

    def __init__(self) -> None:
        self.saw: list[str] = []
        self.body_chunks = 0
        self.sender = ""

    def negotiate(self, opts: list[int]) -> int:
        """Ask for PROTOCOL and SYMLISTS."""
        self._actions = opts[0]
        opts[1] &= PROTOCOL
        opts[2] = opts[3] = 0
        for stage, names in SYMLISTS.items():
            self._ctx.setsymlist(int(stage), names)
        return int(Milter.CONTINUE)

    def connect(self, name: str, family: int, address: Any) -> int:
        """Note the client."""
        self.saw.append(f"connect {name} {family} {address}")
        return self.verdict(name, Milter.P_NR_CONN)

    def hello(self, name: str) -> int:
        """Note the name."""
        self.saw.append(f"helo {name}")
        return self.verdict(name, Milter.P_NR_HELO)

    def envfrom(self, sender: str, *params: str) -> int:
        """Begin a message."""
        self.sender = sender
        self.saw.append(f"mail {sender} {params} i={self.getsymval('i')}")
        return self.verdict(sender, Milter.P_NR_MAIL)

    def envrcpt(self, recipient: str, *params: str) -> int:
        """Note a recipient."""
        self.saw.append(f"rcpt {recipient} {params} {self.getsymval('{rcpt_addr}')}")
        return self.verdict(recipient, Milter.P_NR_RCPT)

    def data(self) -> int:
        """Note the beginning of the message."""
        return self.verdict(self.sender.replace("-at-data", ""), Milter.P_NR_DATA)

    def header(self, name: str, value: str) -> int:
        """Note a header."""
        self.saw.append(f"header {name}:{value}")
        return self.verdict(name, Milter.P_NR_HDR)

    def eoh(self) -> int:
        """Note the end of the headers."""
        return self.verdict("", Milter.P_NR_EOH)

    def body(self, chunk: bytes) -> int:
        """Count a chunk; `skip` wants no more than two."""
        self.body_chunks += bool(chunk)
        if "skip" in self.sender and self.body_chunks == 2:
            return int(Milter.SKIP)
        return self.verdict(self.sender.replace("-in-body", ""), Milter.P_NR_BODY)

    def eom(self) -> int:
        """Make changes, and list what was seen."""
        if "late" in self.sender:
            self.progress()
            self.progress()
        if "change" in self.sender:
            self.delrcpt("<alice@rig.test>")
            self.addrcpt("<bob@rig.test>")
            self.chgheader("Subject", 1, "changed")
            self.addheader("X-First", "one", 0)
            self.quarantine("held")
            self.replacebody(b"new\r\n")
        for line in [*self.saw, f"body {self.body_chunks}", f"macros {self.getsymval('i')} {self.getsymval('j')}"]:
            self.addheader("X-Saw", line.encode("ascii", "backslashreplace").decode())
        return self.verdict(self.sender.replace("-at-eom", ""), 0)

    def abort(self) -> int:
        """Note the end of a transaction."""
        self.saw.append("abort")
        return int(Milter.CONTINUE)

    def unknown(self, command: str) -> int:
        """Note an unknown command."""
        self.saw.append(f"unknown {command}")
        return self.verdict("", Milter.P_NR_UNKN)

    def verdict(self, text: str, silent: int) -> int:
        """What `text` asks for, or no reply where none was negotiated."""
        if PROTOCOL & silent:
            return int(Milter.NOREPLY)
        word = text.strip("<>").partition("@")[0]
        if word == "reply":
            self.setreply("550", "5.7.1", "no such luck")
            return int(Milter.REJECT)
        if word == "leave":
            self.setreply("421", "4.7.0", "closing")
            return int(Milter.TEMPFAIL)
        return int(VERDICTS.get(word, Milter.CONTINUE))


if __name__ == "__main__":
    Milter.factory = Scripted
    Milter.set_flags(0x1FF)
    Milter.runmilter("scripted", sys.argv[1], 60)
