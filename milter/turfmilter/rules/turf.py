"""Whose mail is put aside: Exchange's turf table (Q155683, Q193437), on the sender and on the author."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from turfmilter.core.entry import listed
from turfmilter.core.finding import Finding
from turfmilter.core.mailbox import Mailbox
from turfmilter.core.readings import read_sender
from turfmilter.core.rule import Rule
from turfmilter.core.senders import SenderTable
from turfmilter.core.session import Recipient, Session


@dataclass(frozen=True)
class _Turf(Rule):
    name = "turf"

    table: SenderTable
    spare_authenticated: bool

    def _match(self, session: Session, what: str, mailboxes: Iterable[Mailbox]) -> Finding | None:
        if self.spare_authenticated and session.account:
            return None
        for mailbox in mailboxes:
            entry = self.table.match(mailbox, session.today)
            if listed(entry):
                return Finding(self.name, what, entry)
        return None


class TurfSender(_Turf):
    """Finds senders (MAIL FROM) that the turf table lists."""

    def at_mail(self, session: Session) -> Finding | None:
        """A finding when the entry that decides is no exception."""
        return self._match(session, "sender", [session.envelope.sender.mailbox] if session.envelope else ())


class TurfAuthor(_Turf):
    """Finds authors (From:) that the turf table lists; of several, any match counts."""

    wants = frozenset({"from"})

    def at_headers(self, session: Session) -> Finding | None:
        """A finding when for one of the authors the entry that decides is no exception."""
        if session.authors is None:
            return None
        found = self._match(session, "author", session.authors.mailboxes)
        if found or session.authors.complete or (self.spare_authenticated and session.account):
            return found
        return Finding(self.name, "too many authors", unavailable=True)


@dataclass(frozen=True)
class UnreadableAuthor(Rule):
    """Finds messages whose author cannot be read: they would slip past every entry."""

    name = "unreadable_author"
    wants = frozenset({"from"})

    spare_authenticated: bool

    def at_headers(self, session: Session) -> Finding | None:
        """A finding when a From: field, or all of them together, named no address."""
        if session.authors is None or session.authors.readable or (self.spare_authenticated and session.account):
            return None
        return Finding(self.name)


@dataclass(frozen=True, slots=True)
class Exempt:
    """Recipients from whom nothing is held, such as postmaster@."""

    table: SenderTable

    def __call__(self, recipient: Recipient, today: date) -> bool:
        entry = self.table.match(read_sender(recipient.text), today)
        return listed(entry)
