"""Whose mail is held: Exchange's turf table (Q155683, Q193437), compared with sender, authors and originators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from turfmilter.core.address.authors import Authors, read_authors
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.readings import read, read_resolved, read_senders
from turfmilter.core.clients import ClientTable
from turfmilter.core.finding import Finding
from turfmilter.core.rule import Looked, Rule, Stage
from turfmilter.core.session import Recipient, Session
from turfmilter.core.table.entry import listed
from turfmilter.core.table.senders import SenderTable
from turfmilter.core.wrapped import layers, match_sender, untagged

ORIGINATORS = ("sender", "resent-from")  # the header fields of TurfOriginator, in lower case


@dataclass(frozen=True, slots=True)
class Spares:
    """Clients and programs whose mail is not held, whatever its sender: each field is a key spare_* of [turf].

    `local` alone decides about local submissions: they have no client, although Postfix gives them 127.0.0.1.
    """

    authenticated: bool
    local: bool
    clients: ClientTable

    def spare(self, finding: Finding, session: Session) -> Finding:
        """Return `finding`, marked as spared if one of the keys exempts the session.

        The result is unavailable if DNS does not answer whether the client is one of `clients`.  Waits for DNS only
        if a name among them can decide.
        """
        if self.authenticated and session.account:
            return _spared(finding, "spare_authenticated")
        if session.connection.local:
            return _spared(finding, "spare_local") if self.local else finding
        match = self.clients.find(session.connection, session.today)
        if match.unsure:
            return Finding(finding.rule, "client name unknown", finding.matched, unavailable=True)
        return _spared(finding, f"spare_clients {match.entry}") if listed(match.entry) else finding


def _spared(finding: Finding, key: str) -> Finding:
    what = f"{finding.what}, spared by {key}".removeprefix(", ")
    return replace(finding, what=what, unavailable=False, spared=True)


class _Sparing(Rule):
    """A rule from whose findings `spares` exempts some sessions."""

    spares: Spares

    @property
    def needs_names(self) -> bool:
        """True if `spare_clients` contains a name."""
        return self.spares.clients.names

    def asks_names(self, session: Session) -> bool:  # noqa: ARG002
        """Return False: few senders are listed, so DNS is queried only for their messages, not for every client."""
        return False


@dataclass(frozen=True)
class _Turf(_Sparing):
    name = "turf"

    table: SenderTable
    spares: Spares

    def _looked(self, what: str, mailboxes: Iterable[Mailbox]) -> Iterator[Looked]:
        """Yield what the table has for each of `mailboxes`, and for the addresses that BATV or SRS wrapped in it."""
        for mailbox in mailboxes:
            for layer in layers(mailbox):
                yield Looked(f"{what} in turf.tables", str(layer) or "<>", self.table.matching(layer))
                if inner := untagged(layer):
                    yield Looked(f"{what} without its tag", str(inner), self.table.matching(inner))

    def _find_any(self, session: Session, origin: str, authors: Authors) -> Finding | None:
        """Return a finding if one of `authors` is listed, or if there are too many to be read."""
        entries = (self.table.match(mailbox, session.today) for mailbox in authors.mailboxes)
        entry = next(filter(listed, entries), None)
        if entry:
            return self.spares.spare(Finding(self.name, origin, entry), session)
        if authors.complete:
            return None
        return self.spares.spare(Finding(self.name, f"too many {origin}s", unavailable=True), session)


class TurfSender(_Turf):
    """Finds senders (MAIL FROM) that the turf table lists."""

    stages = frozenset({Stage.MAIL})

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield each reading of the sender."""
        if session.envelope:
            yield from self._looked("sender", read_senders(session.envelope.sender.text))

    def at_mail(self, session: Session) -> Finding | None:
        """Return a finding if the sender is listed."""
        if session.envelope is None:
            return None
        # All readings of the text, because the MTAs may show the recipient any of them as the sender.
        entry = match_sender(self.table, read_senders(session.envelope.sender.text), session.today)
        return self.spares.spare(Finding(self.name, "sender", entry), session) if listed(entry) else None


class TurfAuthor(_Turf):
    """Finds authors (From:) that the turf table lists; one listed author is enough."""

    stages = frozenset({Stage.HEADERS})
    wants = frozenset({"from"})

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield each author."""
        if session.authors:
            yield from self._looked("author", session.authors.mailboxes)

    def at_headers(self, session: Session) -> Finding | None:
        """Return a finding if one of the authors is listed, or if there are too many to be read."""
        return None if session.authors is None else self._find_any(session, "author", session.authors)


class TurfOriginator(_Turf):
    """Finds originators that the turf table lists: who sent a message for its author, or sent it on.

    RFC 5322 §3.6.2 (Sender:) and §3.6.6 (Resent-From:).  These fields are read like From:, but may be absent.
    """

    stages = frozenset({Stage.HEADERS})
    wants = frozenset(ORIGINATORS)

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield each originator."""
        yield from self._looked("originator", _originators(session).mailboxes)

    def at_headers(self, session: Session) -> Finding | None:
        """Return a finding if one of the originators is listed, or if there are too many to be read."""
        return self._find_any(session, "originator", _originators(session))


def _originators(session: Session) -> Authors:
    return read_authors(value for name in ORIGINATORS for value in session.fields.get(name, ()))


@dataclass(frozen=True)
class UnreadableAuthor(_Sparing):
    """Finds messages whose From: is not plainly a list of addresses: other programs may see another author in it."""

    name = "unreadable_author"
    stages = frozenset({Stage.HEADERS})
    wants = frozenset({"from"})

    spares: Spares

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield the values of From:."""
        yield from (Looked("author field", value.strip()) for value in session.fields.get("from", ()))

    def at_headers(self, session: Session) -> Finding | None:
        """Return a finding if a From: field is not plainly a list of addresses, or if there is no such field."""
        if session.authors is None or session.authors.readable:
            return None
        return self.spares.spare(Finding(self.name), session)


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
