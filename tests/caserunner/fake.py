"""The fake MTA: the tests' own milter client.  It accepts what the filter lets pass, and needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from caserunner.fakesession import FakeSession
from caserunner.mailhost import LISTENERS
from rig.sink import Delivery
from rig.smtp import SmtpReply


class FakeMta:
    """An MTA whose filter is at the unix socket `milter`."""

    certificate = Path()
    version = (0, 0)

    def __init__(self, milter: str) -> None:
        self._milter = milter
        self._delivered: list[Delivery] = []

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self) -> None:
        """Nor to stop."""

    def clear(self) -> None:
        """Forget what was delivered."""
        self._delivered.clear()

    def connect(self, listener: str, client: str) -> FakeSession:
        """A client's connection."""
        return FakeSession(self._milter, LISTENERS[listener], client, self._delivered)

    def submit(self, _arguments: Sequence[str], _message: bytes) -> None:
        """It has no programs."""
        raise RuntimeError("the fake MTA has no sendmail(1)")

    def delivered(self) -> list[Delivery]:
        """What was delivered."""
        return list(self._delivered)

    def plain(self, reply: SmtpReply) -> str:
        """It puts nothing before the text of a filter."""
        return str(reply)
