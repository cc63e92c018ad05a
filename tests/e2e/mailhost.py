"""A mail host as an administrator would run it: an MTA, the filter attached to it, and a sink behind it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack

from e2e.attached import AttachedFilter
from rig.dnsserver import DnsServer
from rig.mailserver import MailServer
from rig.server import Server
from rig.sink import Delivery, Sink
from rig.smtp import SmtpClient

MESSAGE = b"From: Anna <anna@out.test>\r\nSubject: hello\r\n\r\nhello\r\n"


class MailHost(Server):
    """The MTA `mta` at rig.test, which delivers to `sink`, with the `filters` of its listeners, which ask `dns`."""

    def __init__(self, mta: MailServer, sink: Sink, dns: DnsServer, filters: Mapping[str, AttachedFilter]) -> None:
        self.sink = sink
        self.dns = dns
        self.filters = filters
        self._mta = mta
        self._running = ExitStack()

    def start(self) -> None:
        """Start all of it, the MTA last."""
        with ExitStack() as running:
            for one in (self.sink, self.dns, *self.filters.values(), self._mta):
                running.enter_context(one)
            self._running = running.pop_all()

    def stop(self) -> None:
        """End all of it, the MTA first."""
        self._running.close()

    @property
    def filter(self) -> AttachedFilter:
        """The one at "inbound"."""
        return self.filters["inbound"]

    @property
    def ports(self) -> Mapping[str, int]:
        """The port of each listener, by name."""
        return self._mta.ports

    def clear(self) -> None:
        """Forget what was delivered and what was held: every test begins with nothing."""
        self.settle()
        self.sink.clear()
        for one in self.filters.values():
            one.release_all()

    @abstractmethod
    def client(self, listener: str = "inbound", source: str = "127.0.0.2", **other: str) -> SmtpClient:
        """A client that has said EHLO."""

    def send(
        self,
        *recipients: str | bytes,
        sender: str = "<anna@out.test>",
        message: bytes = MESSAGE,
        listener: str = "inbound",
        source: str = "127.0.0.2",
        **other: str,
    ) -> list[str]:
        """Send one message; the replies to each RCPT and, if there was one, to the message.

        If MAIL is rejected, its reply alone.  `other` arguments are those of client().
        """
        with self.client(listener, source, **other) as client:
            mail, *replies = client.transaction(sender, *recipients, message=message)
            return [str(reply) for reply in (replies if mail.code == 250 else [mail])]

    def settle(self) -> None:
        """Wait until there is nothing more to deliver."""
        self._mta.settle()

    def delivered(self) -> list[Delivery]:
        """Everything that was delivered, once there is nothing more to deliver."""
        self.settle()
        return self.sink.deliveries

    def reached(self) -> list[str]:
        """The recipients of everything that was delivered."""
        return [recipient for delivery in self.delivered() for recipient in delivery.recipients]
