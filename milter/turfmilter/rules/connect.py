"""Who may connect: Exchange 2000's connection control, only or all except the clients listed."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.core.clients import ClientTable
from turfmilter.core.domains import Domains
from turfmilter.core.finding import Finding
from turfmilter.core.mailbox import Mailbox
from turfmilter.core.ports import Clock
from turfmilter.core.readings import read, read_resolved
from turfmilter.core.rule import Rule
from turfmilter.core.session import Connection, Recipient, Session, bare


@dataclass(frozen=True)
class _Connect(Rule):
    """`clients` holds the allow list, and the deny list as its exceptions."""

    name = "connect"

    clients: ClientTable
    default_allows: bool
    clock: Clock

    @property
    def needs_names(self) -> bool:
        """True when one of the lists holds a name."""
        return self.clients.names

    def _find(self, connection: Connection) -> Finding | None:
        match = self.clients.find(connection, self.clock.today())
        if match.entry:
            return Finding(self.name, "listed", match.entry) if match.entry.exception else None
        if match.unsure:
            return Finding(self.name, "client name", unavailable=True)
        return None if self.default_allows else Finding(self.name, "not listed")


@dataclass(frozen=True)
class ConnectAtRcpt(_Connect):
    """Refuses each recipient of a client that may not connect; postmaster at our domains can still be reached."""

    domains: Domains
    spare_authenticated: bool

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:
        """A finding for a client that may not connect."""
        if (self.spare_authenticated and session.account) or self._is_postmaster(recipient):
            return None
        return self._find(session.connection)

    def _is_postmaster(self, recipient: Recipient) -> bool:
        """RFC 5321 §4.5.1: postmaster, also without a domain, is how whoever is refused asks why."""
        readings = read(recipient.text)
        if len(readings.mailboxes) != 1 or not self._is_ours(readings.mailboxes[0]):
            return False  # more than one: it may hide whom it is really for
        if readings.plain or bare(recipient.text).lower() == "postmaster":
            return True
        resolved = read_resolved(recipient.resolved)
        return resolved is not None and self._is_ours(resolved)

    def _is_ours(self, mailbox: Mailbox) -> bool:
        return mailbox.local == "postmaster" and (not mailbox.domain or self.domains.hold(mailbox))


class ConnectAtOnce(_Connect):
    """Refuses the connection itself: cheapest for the host, but the MTA chooses the text and nobody is spared."""

    def at_connect(self, session: Session) -> Finding | None:
        """A finding for a client that may not connect."""
        return self._find(session.connection)
