"""Whose mail is put aside: Exchange's turf table (Q155683, Q193437), on the sender and on the author."""

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
        """A finding when the entry that decides is no exception."""
        if session.envelope is None or self._spares(session):
            return None
        entry = match_sender(self.table, read_senders(session.envelope.sender.text), session.today)
        return Finding(self.name, "sender", entry) if listed(entry) else None


class TurfAuthor(_Turf):
    """Finds authors (From:) that the turf table lists; of several, any match counts."""

    stages = frozenset({Stage.HEADERS})
    wants = frozenset({"from"})

    def at_headers(self, session: Session) -> Finding | None:
        """A finding when for one of the authors the entry that decides is no exception."""
        if session.authors is None or self._spares(session):
            return None
        entries = (self.table.match(mailbox, session.today) for mailbox in session.authors.mailboxes)
        entry = next(filter(listed, entries), None)
        if entry:
            return Finding(self.name, "author", entry)
        return None if session.authors.complete else Finding(self.name, "too many authors", unavailable=True)


@dataclass(frozen=True)
class UnreadableAuthor(Rule):
    """Finds messages whose From: is not plainly a list of addresses: others may see another author in it."""

    name = "unreadable_author"
    stages = frozenset({Stage.HEADERS})
    wants = frozenset({"from"})

    spare_authenticated: bool

    def at_headers(self, session: Session) -> Finding | None:
        """A finding when a From: field is not plainly a list of addresses, or when there is none."""
        if session.authors is None or session.authors.readable or (self.spare_authenticated and session.account):
            return None
        return Finding(self.name)


@dataclass(frozen=True, slots=True)
class Exempt:
    """Recipients from whom nothing is held, such as postmaster@.

    Where a text may mean several addresses, the MTA knows best to which of them it delivers: it must be exempt too.
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
