"""Whose mail is held: Exchange's turf table (Q155683, Q193437), compared with the sender and with the authors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.readings import read, read_resolved, read_senders
from turfmilter.core.finding import Finding
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Recipient, Session
from turfmilter.core.table.entry import listed
from turfmilter.core.table.senders import SenderTable
from turfmilter.core.wrapped import match_sender


@dataclass(frozen=True)
class _Turf(Rule):
    name = "turf"

    table: SenderTable
    spare_authenticated: bool

    def _spares(self, session: Session) -> bool:
        return self.spare_authenticated and bool(session.account)


class TurfSender(_Turf):
    """Finds senders (MAIL FROM) that the turf table lists."""

    stages = frozenset({Stage.MAIL})

    def at_mail(self, session: Session) -> Finding | None:
        """Return a finding if the sender is listed."""
        if session.envelope is None or self._spares(session):
            return None
        # All readings of the text, because the MTAs may show the recipient any of them as the sender.
        entry = match_sender(self.table, read_senders(session.envelope.sender.text), session.today)
        return Finding(self.name, "sender", entry) if listed(entry) else None


class TurfAuthor(_Turf):
    """Finds authors (From:) that the turf table lists; one listed author is enough."""

    stages = frozenset({Stage.HEADERS})
    wants = frozenset({"from"})

    def at_headers(self, session: Session) -> Finding | None:
        """Return a finding if one of the authors is listed, or if there are too many to be read."""
        if session.authors is None or self._spares(session):
            return None
        entries = (self.table.match(mailbox, session.today) for mailbox in session.authors.mailboxes)
        entry = next(filter(listed, entries), None)
        if entry:
            return Finding(self.name, "author", entry)
        return None if session.authors.complete else Finding(self.name, "too many authors", unavailable=True)


@dataclass(frozen=True)
class UnreadableAuthor(Rule):
    """Finds messages whose From: is not plainly a list of addresses: other programs may see another author in it."""

    name = "unreadable_author"
    stages = frozenset({Stage.HEADERS})
    wants = frozenset({"from"})

    spare_authenticated: bool

    def at_headers(self, session: Session) -> Finding | None:
        """Return a finding if a From: field is not plainly a list of addresses, or if there is no such field."""
        if session.authors is None or session.authors.readable or (self.spare_authenticated and session.account):
            return None
        return Finding(self.name)


@dataclass(frozen=True, slots=True)
class Exempt:
    """Recipients from whom no mail is withheld, such as postmaster@.

    If a recipient may be read as several addresses, all of them must be exempt, and so must the one to which the MTA
    resolves it.
    """

    table: SenderTable

    def __call__(self, recipient: Recipient, today: date) -> bool:
        readings = read(recipient.text)
        if readings.plain:
            return self._holds(readings.mailboxes[0], today)
        resolved = read_resolved(recipient.resolved)
        return (
            bool(readings)
            and resolved is not None
            and all(self._holds(m, today) for m in (resolved, *readings.mailboxes))
        )

    def _holds(self, mailbox: Mailbox, today: date) -> bool:
        return listed(self.table.match(mailbox, today))
