"""A mail host with a private Sendmail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from e2e.attached import AttachedFilter
from e2e.mailhost import MailHost
from rig.dnsserver import DnsServer
from rig.sendmail import Sendmail
from rig.sink import Sink
from rig.smtp import SmtpClient


class SendmailHost(MailHost):
    """Sendmail with a filter; the other keywords are those of rig.sendmail.

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
        sink, dns = Sink(), DnsServer(zone)
        attached = AttachedFilter(directory / "filter", config, dns, 4.0)
        self.sendmail = Sendmail(
            directory / "sendmail",
            sink=sink.port,
            milter=attached.socket if milter is None else milter,
            lines=lines,
            maps=maps,
            listeners=listeners,
            accounts=accounts,
        )
        super().__init__(self.sendmail, sink, dns, {"inbound": attached})

    def client(self, listener: str = "inbound", source: str = "127.0.0.2", host: str = "127.0.0.1") -> SmtpClient:
        """A client that has said EHLO."""
        client = SmtpClient(self.sendmail.ports[listener], source=source, host=host)
        client.ehlo()
        return client

    def reached(self) -> list[str]:
        """The recipients of everything that was delivered, sorted; local users without a domain."""
        return sorted(super().reached())
