"""An SMTP session on a host, which is open for as long as a test wants."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Self

_SCRIPT = """\
import smtplib, sys
with smtplib.SMTP("127.0.0.1", 25, "client.example", timeout=120, source_address=("127.0.0.2", 0)) as client:
    client.ehlo()
    print(client.mail("<open@other.example>")[0], client.rcpt("<anna@example.org>")[0], flush=True)
    sys.stdin.readline()
    print(client.data(b"Subject: open\\r\\n\\r\\nhello\\r\\n")[0], flush=True)
"""


class Session:
    """A client that has named sender and recipient; `on_host` is the command line that runs a command there."""

    def __init__(self, on_host: Sequence[str]) -> None:
        self._client = subprocess.Popen(
            [*on_host, "python3", "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        assert self._read() == "250 250"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.kill()
        self._client.communicate()

    def finish(self) -> str:
        """Send the message; return the code of the reply."""
        assert self._client.stdin is not None
        self._client.stdin.write("\n")
        self._client.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._client.stdout is not None
        return self._client.stdout.readline().strip()
