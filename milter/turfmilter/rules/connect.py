"""Who may connect: Exchange 2000's connection control, "only the list below" or "all except the list below"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from turfmilter.core.address.addressed import bare
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.readings import read, read_resolved
from turfmilter.core.clients import ClientTable, Domains
from turfmilter.core.finding import Finding
from turfmilter.core.rule import Looked, Rule, Stage
from turfmilter.core.session import Recipient, Session


@dataclass(frozen=True)
class _Connect(Rule):
    """The check that both variants share.  `clients` has the allow list, and the deny list as its exceptions."""

    name = "connect"

    clients: ClientTable
    default_allows: bool

    @property
    def needs_names(self) -> bool:
        """True if one of the lists contains a name."""
        return self.clients.names

    def asks_names(self, session: Session) -> bool:
        """Return True unless an entry for the client's address decides."""
        return self.clients.asks_names(session.connection, session.today)

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield the entries of both lists for the client; an exception is an entry of the deny list."""
        yield from self.clients.looks_at("connect.allow and deny", session.connection)

    def _find(self, session: Session) -> Finding | None:
        match = self.clients.find(session.connection, session.today)
        if match.entry:  # an exception is an entry of the deny list
            return Finding(self.name, matched=match.entry) if match.entry.exception else None
        if match.unsure:
            return Finding(self.name, "client name unknown", unavailable=True)
        return None if self.default_allows else Finding(self.name, "not listed")


@dataclass(frozen=True)
class ConnectAtRcpt(_Connect):
    """Refuses each recipient of a client that may not connect, except postmaster at our domains."""

    stages = frozenset({Stage.RCPT})

    domains: Domains
    spare_authenticated: bool

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:
        """Return a finding if the client may not connect."""
        if (self.spare_authenticated and session.account) or self._is_postmaster(session, recipient):
            return None
        return self._find(session)

    def _is_postmaster(self, session: Session, recipient: Recipient) -> bool:
        """Return True for postmaster, with or without a domain (RFC 5321 §4.5.1): refused senders can ask there why."""
        readings = read(recipient.text)
        if len(readings.mailboxes) != 1 or not self._is_ours(readings.mailboxes[0], session.today):
            return False  # with several readings, the text may hide the real recipient
        if readings.plain or bare(recipient.text).lower() == "postmaster":
            return True
        # An odd spelling can lead to another mailbox, so the MTA must resolve it to postmaster as well.
        resolved = read_resolved(recipient.resolved)
        return resolved is not None and self._is_ours(resolved, session.today)

    def _is_ours(self, mailbox: Mailbox, today: date) -> bool:
        return mailbox.local == "postmaster" and (not mailbox.domain or self.domains.hold(mailbox, today))


class ConnectAtOnce(_Connect):
    """Refuses the connection itself: this costs least, but the MTA chooses the text, and there are no exemptions."""

    stages = frozenset({Stage.CONNECT})

    def at_connect(self, session: Session) -> Finding | None:
        """Return a finding if the client may not connect."""
        return self._find(session)
