"""A mail host with a private Postfix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from e2e.attached import AttachedFilter
from e2e.mailhost import MailHost
from rig.dnsserver import Conduct, DnsServer
from rig.postfix import Postfix
from rig.sink import Sink
from rig.smtp import SmtpClient


class PostfixHost(MailHost):
    """Postfix with a filter of its own at each listener that `filters` gives a configuration.

    "inbound" is the listener that send() uses, and sendmail(1) goes through its filter; "unfiltered" has none.
    `parameters`, further `listeners` and `accounts` are those of rig.postfix; in them $rig_sink is the sink as a next
    hop.  `zone` is all that DNS knows of clients; it can grow.  DNS answers SERVFAIL for the names `broken`, each with
    the kind of its record (A, PTR).
    """

    def __init__(
        self,
        directory: Path,
        filters: Mapping[str, str],
        *,
        parameters: Mapping[str, str] | None = None,
        listeners: Mapping[str, Mapping[str, str]] | None = None,
        domains: tuple[str, ...] = ("rig.test",),
        accounts: Mapping[str, str] | None = None,
        zone: str = "",
        broken: Mapping[str, str] | None = None,
        dns_timeout: float = 4.0,
    ) -> None:
        sink, dns = Sink(), DnsServer(zone)
        for name, kind in (broken or {}).items():
            dns.tell(Conduct.SERVFAIL, name, kind)
        attached = {name: AttachedFilter(directory / name, one, dns, dns_timeout) for name, one in filters.items()}
        own = listeners or {}
        self.postfix = Postfix(
            directory / "postfix",
            sink=sink.port,
            milter=attached["inbound"].socket,
            domains=domains,
            parameters={"rig_sink": f"[127.0.0.1]:{sink.port}", **(parameters or {})},
            listeners=own
            | {name: {"smtpd_milters": one.socket, **own.get(name, {})} for name, one in attached.items()},
            accounts=accounts,
        )
        super().__init__(self.postfix, sink, dns, attached)

    def client(self, listener: str = "inbound", source: str = "127.0.0.2", **played: str) -> SmtpClient:
        """A client that has said EHLO; `played` are attributes for XCLIENT."""
        client = SmtpClient(self.postfix.ports[listener], source=source)
        client.ehlo()
        if played:
            taken = client.xclient(**played)
            assert " ESMTP" in taken.text, f"XCLIENT: {taken}"  # the greeting, which may be a refusal
            client.ehlo()
        return client


def queue_id(reply: str) -> str:
    """The queue id in Postfix's reply to a message that it accepted."""
    taken = "250 2.0.0 Ok: queued as "
    assert reply.startswith(taken), reply
    return reply.removeprefix(taken)


def without_received(data: bytes) -> bytes:
    """A message without the Received: field that Postfix put on top, which contains the time and the queue id."""
    message, found = re.subn(rb"\AReceived: from .*\r\n(?:[ \t].*\r\n)*", b"", data)
    assert found, data
    return message
