"""An MTA in a network of its own, so that each may have the addresses and ports of the one mail host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from caserunner.mailhost import NETWORKS, Mta, Talk
from rig.network import Network
from rig.sink import Delivery
from rig.smtp import SmtpReply


class Networked:
    """The MTA `inner`: what it starts, and who talks to it, is in its network."""

    def __init__(self, inner: Mta) -> None:
        self._inner = inner
        self._network = Network(NETWORKS)
        self.certificate: Path = inner.certificate
        self.version = inner.version

    def start(self) -> None:
        """Start it."""
        with self._network.entered():
            self._inner.start()

    def stop(self) -> None:
        """End it, and its network."""
        with self._network.entered():
            self._inner.stop()
        self._network.close()

    def connect(self, listener: str, client: str) -> Talk:
        """A client's connection, which stays in the network."""
        with self._network.entered():
            return self._inner.connect(listener, client)

    def submit(self, arguments: Sequence[str], message: bytes) -> None:
        """Hand a message to sendmail(1)."""
        with self._network.entered():
            self._inner.submit(arguments, message)

    def clear(self) -> None:
        """Forget what was delivered."""
        self._inner.clear()

    def delivered(self) -> list[Delivery]:
        """Everything that was delivered."""
        return self._inner.delivered()

    def plain(self, reply: SmtpReply) -> str:
        """A reply without what the MTA puts before the text of a filter."""
        return self._inner.plain(reply)
