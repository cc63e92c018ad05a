"""An MTA with a sink behind it, as the mail host of the cases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from caserunner.localsession import LocalSession
from caserunner.mailhost import LISTENERS, LOCAL, Talk
from rig import wait
from rig.mailserver import MailServer
from rig.sink import Delivery, Sink
from rig.smtp import SmtpClient


class RealMta(ABC):
    """The MTA `server`, which delivers to `sink`."""

    def __init__(self, server: MailServer, sink: Sink) -> None:
        self._server = server
        self._sink = sink
        self.certificate = server.certificate
        self.version = server.version

    def start(self) -> None:
        """Start, and return when it serves."""
        self._sink.start()
        self._server.start()

    def stop(self) -> None:
        """End it."""
        self._server.stop()
        self._sink.stop()

    def connect(self, listener: str, client: str) -> Talk:
        """A client's connection; one of LOCAL talks to `sendmail -bs`."""
        if client in LOCAL:
            return LocalSession(self.local_smtp(), client)
        one = LISTENERS[listener]
        return SmtpClient(one.port, host=one.address, source=client, timeout=wait.AMPLE)

    @abstractmethod
    def local_smtp(self) -> Sequence[str]:
        """The command line of `sendmail -bs`."""

    def clear(self) -> None:
        """Forget what was delivered."""
        self._server.settle()
        self._sink.clear()

    def delivered(self) -> list[Delivery]:
        """Everything that was delivered, once there is nothing more to deliver."""
        self._server.settle()
        return self._sink.deliveries
