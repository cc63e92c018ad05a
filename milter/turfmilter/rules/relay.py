"""Who may relay: Exchange's RelayFlags steps in their order (Q193922, Q206968, Q195969)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from turfmilter.core.accounts import Accounts
from turfmilter.core.entry import Entry
from turfmilter.core.finding import Finding
from turfmilter.core.hosts import HostTable
from turfmilter.core.mailbox import IPAddress, Mailbox
from turfmilter.core.ports import Clock
from turfmilter.core.readings import Readings, read
from turfmilter.core.rule import Rule
from turfmilter.core.session import Connection, Lookup, Recipient, Session


@dataclass(frozen=True)
class Relay(Rule):
    """Refuses recipients that are not ours, unless a step allows the client to relay.

    `accounts` is None when authentication allows nobody.
    """

    name = "relay"

    domains: HostTable
    always: HostTable
    routing: bool
    deny: HostTable
    allow: HostTable
    interfaces: HostTable
    accounts: Accounts | None
    accounts_need_tls: bool
    default_allows: bool
    clock: Clock

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:
        """A finding for a recipient that is not ours and that this client may not relay to."""
        readings = read(recipient.text)
        if self._everywhere(readings, recipient, self._is_ours):
            return None
        if not self.routing:
            return Finding(self.name, "routing off")
        if self._everywhere(readings, recipient, self._is_ours_or_always):
            return None
        return self._steps(session)

    def _everywhere(self, readings: Readings, recipient: Recipient, fits: Callable[[Mailbox], bool]) -> bool:
        """True when every reading fits; where the text hides something, the MTA's resolution must fit too."""
        if not readings or not all(map(fits, readings.mailboxes)):
            return False
        if readings.plain:
            return True
        resolved = read(recipient.resolved).mailboxes if recipient.resolved else ()
        return bool(resolved) and all(map(fits, resolved))

    def _is_ours(self, mailbox: Mailbox) -> bool:
        return not mailbox.domain or self._names(self.domains, mailbox)

    def _is_ours_or_always(self, mailbox: Mailbox) -> bool:
        return self._is_ours(mailbox) or self._names(self.always, mailbox)

    def _names(self, table: HostTable, mailbox: Mailbox) -> bool:
        today, literal = self.clock.today(), mailbox.literal
        entry = table.match_address(literal, today) if literal else table.match_name(mailbox.domain, today)
        return entry is not None and not entry.exception

    def _steps(self, session: Session) -> Finding | None:
        """Deny list, allow list, local interface, authentication, default: the first hit decides."""
        connection = session.connection
        denied = self._deciding(self.deny, connection.client, connection.name or connection.claimed)
        if denied and not denied.exception:
            return Finding(self.name, "deny list", denied)
        allowed = self._deciding(self.allow, connection.client, connection.name)
        if self._grants(session, allowed):
            unsure = denied is None and self._unsure(self.deny, connection, connection.claimed)
        elif allowed is None and self._unsure(self.allow, connection, connection.name):
            unsure = True
        else:
            return Finding(self.name, "not allowed")
        return Finding(self.name, "client name", unavailable=True) if unsure else None

    def _grants(self, session: Session, allowed: Entry | None) -> bool:
        """True when a step behind the deny list, or the default, lets the client relay."""
        interface = self._deciding(self.interfaces, session.connection.local_address, "")
        listed = any(entry and not entry.exception for entry in (allowed, interface))
        return listed or self._trusts(session) or self.default_allows

    def _deciding(self, table: HostTable, address: IPAddress | None, name: str) -> Entry | None:
        """The entry that decides; any address entry is more specific than a name."""
        today = self.clock.today()
        entry = table.match_address(address, today) if address else None
        return table.match_name(name, today) if entry is None and name else entry

    def _unsure(self, table: HostTable, connection: Connection, name: str) -> bool:
        """True when the client's name could change the result, and could not be found out."""
        return table.names and not name and connection.lookup is Lookup.TEMP

    def _trusts(self, session: Session) -> bool:
        """True when the client authenticated as somebody who may relay."""
        return (
            self.accounts is not None
            and session.account in self.accounts
            and (session.tls or not self.accounts_need_tls)
        )
