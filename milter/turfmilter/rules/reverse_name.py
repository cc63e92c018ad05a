"""Whether the client's address has a name that leads back to it (RFC 8601 §2.7.3, iprev)."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.core.clients import ClientTable
from turfmilter.core.entry import listed
from turfmilter.core.finding import Change, Finding
from turfmilter.core.mailbox import Mailbox
from turfmilter.core.ports import ClientNames
from turfmilter.core.results import FIELD, bears, iprev_field
from turfmilter.core.rule import Rule
from turfmilter.core.session import Session


def iprev(names: ClientNames) -> str:
    """The result as RFC 8601 §2.7.3 names it."""
    if names.confirmed:
        return "pass"
    if names.failed:
        return "temperror"
    return "fail" if names.claimed else "permerror"


class _NeedsNames(Rule):
    @property
    def needs_names(self) -> bool:
        """Always: this is about nothing else."""
        return True


@dataclass(frozen=True)
class RequireName(_NeedsNames):
    """Refuses clients without a confirmed name.

    With `match_sender` it must also lie in the sender's domain; the empty sender, which has none, is then skipped.
    """

    name = "reverse_name"

    allow: ClientTable
    match_sender: bool

    def at_rcpt(self, session: Session, _recipient: object) -> Finding | None:
        """A finding for a client whose name is not confirmed or, if asked for, not the sender's."""
        if session.account or session.connection.client is None or self._is_trusted(session):
            return None
        sender = session.envelope.sender.mailbox if session.envelope else Mailbox("", "")
        if self.match_sender and not (sender.local or sender.domain):
            return None
        names = session.connection.names.result()
        if any(not self.match_sender or _lies_in(name, sender.domain) for name in names.confirmed):
            return None
        return Finding(self.name, iprev(names), unavailable=names.failed)

    def _is_trusted(self, session: Session) -> bool:
        entry = self.allow.find(session.connection, session.today).entry
        return listed(entry)


def _lies_in(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


@dataclass(frozen=True)
class StampName(_NeedsNames):
    """Writes the result into the header, and blocks nothing.  `authserv_id` "" is the MTA's own name."""

    name = "reverse_name"
    facts = frozenset({"host"})

    authserv_id: str

    def at_end(self, session: Session) -> Finding | None:
        """A field to be added."""
        connection = session.connection
        host = self.authserv_id or connection.host
        if connection.client is None or connection.local or not host:
            return None
        names = connection.names.result()
        value = iprev_field(host, iprev(names), connection.client, (names.confirmed or names.claimed or ("",))[0])
        return Finding(self.name, iprev(names), changes=(Change(FIELD, value),))


@dataclass(frozen=True)
class RemoveForged(Rule):
    """Removes results that bear our name but came with the message (RFC 8601 §5)."""

    name = "remove_forged"
    wants = frozenset({FIELD.lower()})
    facts = frozenset({"host"})

    authserv_id: str

    def at_headers(self, session: Session) -> Finding | None:
        """The fields to be removed, the last first: each removal moves those behind it."""
        host = self.authserv_id or session.connection.host
        values = session.fields.get(FIELD.lower(), ())
        forged = [index for index, value in enumerate(values, 1) if bears(value, host)]
        changes = tuple(Change(FIELD, index=index) for index in reversed(forged))
        return Finding(self.name, f"{len(forged)} removed", changes=changes) if forged else None
