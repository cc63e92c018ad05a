"""A small pymilter program that rejects every recipient, and replies how the MTA resolves the addresses.

Usage: echofilter.py SOCKET

The text of the reply is {mail_addr} and {rcpt_addr} in hexadecimal digits, with a "-" between them.
"""

from __future__ import annotations

import sys

import Milter


class Echo(Milter.Base):  # type: ignore[misc]
    """One session."""

    def __init__(self) -> None:
        self.sender = ""

    def envfrom(self, sender: str, *params: str) -> int:  # noqa: ARG002
        """Remember how the MTA resolves the sender."""
        self.sender = self._hex("{mail_addr}")
        return int(Milter.CONTINUE)

    def envrcpt(self, recipient: str, *params: str) -> int:  # noqa: ARG002
        """Reply with it, and with how the MTA resolves the recipient."""
        self.setreply("550", "5.7.1", f"{self.sender}-{self._hex('{rcpt_addr}')}")
        return int(Milter.REJECT)

    def _hex(self, macro: str) -> str:
        return str((self.getsymval(macro) or "").encode("utf-8", "surrogateescape").hex())


def main() -> None:
    """Serve until killed."""
    Milter.factory = Echo
    Milter.runmilter("echo", sys.argv[1], 30)


if __name__ == "__main__":
    main()
