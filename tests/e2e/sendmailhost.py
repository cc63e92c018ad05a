"""A mail host as an administrator would run it: a private Sendmail, the filter attached to it, a sink behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from e2e.mailhost import MESSAGE, Filter
from rig import wait
from rig.dnsserver import DnsServer
from rig.sendmail import Sendmail
from rig.sink import Delivery, Sink
from rig.smtp import SmtpClient


class SendmailHost:
    """Sendmail at rig.test with a filter; the other keywords are those of rig.sendmail.

    `zone` is all that DNS knows of clients.
    """

    def __init__(
        self,
        directory: Path,
        config: str,
        *,
        zone: str = "",
        milter: str | None = None,
        lines: Iterable[str] = (),
        maps: Mapping[str, Mapping[str, str]] | None = None,
        listeners: Mapping[str, str] | None = None,
        accounts: Mapping[str, str] | None = None,
    ) -> None:
        self.sink = Sink()
        self.dns = DnsServer(zone)
        self.filter = Filter(directory / "filter", config, self.dns, 4.0)
        self.sendmail = Sendmail(
            directory / "sendmail",
            sink=self.sink.port,
            milter=self.filter.socket if milter is None else milter,
            lines=lines,
            maps=maps,
            listeners=listeners,
            accounts=accounts,
        )
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as running:
            running.enter_context(self.sink)
            running.enter_context(self.dns)
            self.filter.start()
            running.callback(self.filter.daemon.kill)
            running.enter_context(self.sendmail)
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def clear(self) -> None:
        """Forget what came and what was held: every test begins with nothing."""
        self.settle()
        self.sink.clear()
        self.filter.release_all()

    def client(self, listener: str = "inbound", source: str = "127.0.0.2", host: str = "127.0.0.1") -> SmtpClient:
        """A client that has said EHLO."""
        client = SmtpClient(self.sendmail.ports[listener], source=source, host=host)
        client.ehlo()
        return client

    def send(
        self,
        *recipients: str | bytes,
        sender: str = "<anna@out.test>",
        message: bytes = MESSAGE,
        listener: str = "inbound",
        source: str = "127.0.0.2",
        host: str = "127.0.0.1",
    ) -> list[str]:
        """Send one message; the replies to each RCPT and, if there was one, to the message.

        When MAIL is refused already, its reply alone.
        """
        with self.client(listener, source, host) as client:
            mail, *replies = client.transaction(sender, *recipients, message=message)
            return [str(reply) for reply in (replies if mail.code == 250 else [mail])]

    def settle(self) -> None:
        """Wait until Sendmail has nothing more to deliver."""
        wait.until(lambda: not self.sendmail.queue(), lambda: f"an empty queue: {self.sendmail.log()}")

    def delivered(self) -> list[Delivery]:
        """What came to the sink, and all of it."""
        self.settle()
        return self.sink.deliveries

    def reached(self) -> list[str]:
        """The recipients whom anything came for; local users without a domain."""
        return sorted(recipient for delivery in self.delivered() for recipient in delivery.recipients)
