"""How much a client may send: the numbers, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.core.accounts import Accounts
from turfmilter.core.entry import listed
from turfmilter.core.hosts import HostTable
from turfmilter.core.senders import SenderTable
from turfmilter.core.session import Session


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers; 0 is no limit.  Sizes are bytes."""

    recipients_per_message: int = 100
    recipients_per_bounce: int = 0
    message_size: int = 0
    session_size: int = 0
    messages_per_session: int = 0


@dataclass(frozen=True, slots=True)
class Cap:
    """Other numbers for some: every condition that is given must hold."""

    limits: Limits
    authenticated: Accounts | None = None
    client: HostTable | None = None
    sender: SenderTable | None = None
    listener: frozenset[str] | None = None

    def applies(self, session: Session, listener: str) -> bool:
        """True when these numbers are meant for the message of `session`."""
        return (
            (self.authenticated is None or session.account in self.authenticated)
            and (self.listener is None or listener in self.listener)
            and (self.client is None or self._has_client(self.client, session))
            and (self.sender is None or self._has_sender(self.sender, session))
        )

    def _has_client(self, table: HostTable, session: Session) -> bool:
        client = session.connection.client
        entry = table.match_address(client, session.today) if client else None
        return listed(entry)

    def _has_sender(self, table: SenderTable, session: Session) -> bool:
        entry = table.match(session.envelope.sender.mailbox, session.today) if session.envelope else None
        return listed(entry)


@dataclass(frozen=True, slots=True)
class LimitTable:
    """The limits of one listener, with the caps that beat them; the first cap that applies wins."""

    general: Limits
    caps: tuple[Cap, ...]
    listener: str

    def of(self, session: Session) -> Limits:
        """The numbers for the message of `session`."""
        for cap in self.caps:
            if cap.applies(session, self.listener):
                return cap.limits
        return self.general

    def any(self, name: str) -> bool:
        """True when the limit called `name` is set for anybody."""
        return any(getattr(limits, name) for limits in (self.general, *(cap.limits for cap in self.caps)))
