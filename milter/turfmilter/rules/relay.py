"""Who may relay: the steps of Exchange's RelayFlags in their order (Q193922, Q206968, Q195969)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.readings import Readings, read
from turfmilter.core.clients import ClientTable, Domains
from turfmilter.core.finding import Finding
from turfmilter.core.rule import Fact, Looked, Rule, Stage
from turfmilter.core.session import Accounts, Recipient, Session
from turfmilter.core.table.entry import listed
from turfmilter.core.table.hosts import HostTable


@dataclass(frozen=True)
class Relay(Rule):
    """Refuses recipients that are not ours, unless a step allows the client to relay.

    `domains` are ours; `always` are domains to which every client may relay, unless `routing` is False.
    `accounts` are those that may relay, None for no account.
    """

    name = "relay"
    stages = frozenset({Stage.RCPT})

    domains: Domains
    always: Domains
    routing: bool
    deny: ClientTable
    allow: ClientTable
    interfaces: HostTable
    accounts: Accounts | None
    accounts_need_tls: bool
    default_allows: bool

    @property
    def facts(self) -> frozenset[Fact]:
        """The optional values that the configured steps read."""
        wanted = {Fact.LOCAL_ADDRESS: len(self.interfaces) > 0, Fact.TLS: self.accounts_need_tls}
        return frozenset(fact for fact, needed in wanted.items() if needed)

    @property
    def needs_names(self) -> bool:
        """True if the deny or the allow list contains a name."""
        return self.deny.names or self.allow.names

    def asks_names(self, session: Session) -> bool:
        """Return True if a step whose result may depend on the client's name can be reached."""
        connection, today = session.connection, session.today
        if not self.routing:
            return False
        if self.deny.asks_names(connection, today):
            return True
        if listed(self.deny.by_address(connection, today)) or self.default_allows or self._came_in_here(session):
            return False
        return self.allow.asks_names(connection, today)

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:
        """Return a finding if the recipient is not ours and this client may not relay to it."""
        readings = read(recipient.text)
        if self._everywhere(readings, recipient, partial(self._is_ours, session.today)):
            return None
        if not self.routing:  # checked in front of `always`, which it turns off as well
            return Finding(self.name, "routing off")
        if self._everywhere(readings, recipient, partial(self._is_ours_or_always, session.today)):
            return None
        return self._steps(session)

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:
        """Yield each reading of the recipient with the domains that hold it, and what the steps look at."""
        if recipient is None:
            return
        readings = read(recipient.text)
        resolved = read(recipient.resolved).mailboxes if recipient.resolved and not readings.plain else ()
        for what, mailboxes in (("recipient", readings.mailboxes), ("recipient as resolved by the MTA", resolved)):
            for mailbox in mailboxes:
                yield Looked(f"{what} in domains", str(mailbox), self.domains.matching(mailbox))
                if always := self.always.matching(mailbox):
                    yield Looked(f"{what} in relay.always", str(mailbox), always)
        yield from self.deny.looks_at("relay.deny", session.connection)
        yield from self.allow.looks_at("relay.allow", session.connection)
        if session.connection.local_address:
            address = session.connection.local_address
            yield Looked("local address in relay.interfaces", str(address), self.interfaces.matching_address(address))
        if session.account:
            yield Looked("account", session.account + (" with TLS" if session.tls else ""))

    def _everywhere(self, readings: Readings, recipient: Recipient, fits: Callable[[Mailbox], bool]) -> bool:
        """Return True if every reading fits, and, unless the text is plain, the MTA's resolution of it fits as well.

        If that is unknown, nothing fits: a recipient that may be someone else's is not ours.
        """
        if readings.plain:
            return fits(readings.mailboxes[0])
        if not readings.mailboxes or not all(map(fits, readings.mailboxes)):
            return False
        resolved = read(recipient.resolved).mailboxes if recipient.resolved else ()
        return bool(resolved) and all(map(fits, resolved))

    def _is_ours(self, today: date, mailbox: Mailbox) -> bool:
        # Both MTAs add their own domain to a recipient without one.
        return not mailbox.domain or self.domains.hold(mailbox, today)

    def _is_ours_or_always(self, today: date, mailbox: Mailbox) -> bool:
        return self._is_ours(today, mailbox) or self.always.hold(mailbox, today)

    def _steps(self, session: Session) -> Finding | None:
        """Check deny list, allow list, local interface, authentication and default: the first match decides."""
        denied = self.deny.find(session.connection, session.today)
        if listed(denied.entry):
            return Finding(self.name, matched=denied.entry)
        granted = self._granted(session)
        if granted is False:
            return Finding(self.name)
        # An unknown name that might be on the deny list must not relay, even if a later step would allow the client.
        unsure = granted is None or denied.unsure
        return Finding(self.name, "client name unknown", unavailable=True) if unsure else None

    def _granted(self, session: Session) -> bool | None:
        """Return True if a step after the deny list, or the default, allows the client; None if DNS did not answer.

        These steps can only allow, so their order does not affect the result: the one that needs DNS comes last.
        """
        if self._came_in_here(session) or self._trusts(session) or self.default_allows:
            return True
        allowed = self.allow.find(session.connection, session.today)
        if allowed.unsure:
            return None
        return listed(allowed.entry)

    def _came_in_here(self, session: Session) -> bool:
        """Return True if the client connected to one of the interfaces whose clients may relay."""
        address = session.connection.local_address
        entry = self.interfaces.match_address(address, session.today) if address else None
        return listed(entry)

    def _trusts(self, session: Session) -> bool:
        """Return True if the client authenticated with an account that may relay."""
        return (
            self.accounts is not None
            and session.account in self.accounts
            and (session.tls or not self.accounts_need_tls)
        )
