"""How much a client may send: recipients, message size, session size, messages in a session."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from turfmilter.core.finding import Finding
from turfmilter.core.rule import Looked, Rule, Stage
from turfmilter.core.session import Accounts, Recipient, Session
from turfmilter.core.table.entry import listed
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.senders import SenderTable
from turfmilter.core.wrapped import match_sender


@dataclass(frozen=True, slots=True)
class Limits:
    """One set of limits.  Sizes are in bytes; 0 means no limit."""

    recipients_per_message: int = 100
    recipients_per_bounce: int = 0
    message_size: int = 0
    session_size: int = 0
    messages_per_session: int = 0


@dataclass(frozen=True, slots=True)
class Cap:
    """Limits for some messages: those that meet every condition that is not None."""

    limits: Limits
    authenticated: Accounts | None = None
    client: HostTable | None = None
    sender: SenderTable | None = None
    listener: frozenset[str] | None = None

    def applies(self, session: Session, listener: str) -> bool:
        """Return True if these limits apply to the message of `session`, which came in through `listener`."""
        # The cheapest comparisons come first, because every cap is evaluated at every recipient.
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
        return session.envelope is not None and listed(
            match_sender(table, [session.envelope.sender.mailbox], session.today)
        )


@dataclass(frozen=True, slots=True)
class LimitTable:
    """The limits of one listener, and the caps that override them; the first cap that applies is used."""

    general: Limits
    caps: tuple[Cap, ...]
    listener: str

    def of(self, session: Session) -> Limits:
        """Return the limits for the message of `session`."""
        for cap in self.caps:  # in the order of the configuration
            if cap.applies(session, self.listener):
                return cap.limits
        return self.general

    def place(self, session: Session) -> str:
        """Return which limits those are: "limits", or "cap[0]" for the first cap."""
        return next((f"cap[{n}]" for n, cap in enumerate(self.caps) if cap.applies(session, self.listener)), "limits")

    def any(self, limit: Callable[[Limits], int]) -> bool:
        """Return True if the limit that `limit` selects is set, in the general limits or in a cap."""
        return any(limit(limits) > 0 for limits in (self.general, *(cap.limits for cap in self.caps)))


_SIZE = re.compile(r"SIZE=(\d{1,20})", re.IGNORECASE | re.ASCII)  # RFC 1870 §4


@dataclass(frozen=True)
class _Limit(Rule, ABC):
    table: LimitTable

    @staticmethod
    @abstractmethod
    def limit(limits: Limits) -> int:
        """Return the limit that this rule enforces; 0 means no limit."""

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield the limit for this message, and where it comes from."""
        place = self.table.place(session)
        yield Looked(f"{self.name} in {place}", str(self.limit(self.table.of(session)) or "no limit"))

    def _beyond(self, session: Session, number: int) -> Finding | None:
        """Return a finding if `number` exceeds this rule's limit for the message."""
        limit = self.limit(self.table.of(session))
        return Finding(self.name, f"{number} of {limit}") if limit and number > limit else None


class RecipientsPerMessage(_Limit):
    """Accepts the first N recipients of a message; the client must send it again to the others.

    RFC 5321 §4.5.3.1.10: the reply for the others is 452, and the client keeps them in its queue.
    """

    name = "recipients_per_message"
    stages = frozenset({Stage.RCPT})

    @staticmethod
    def limit(limits: Limits) -> int:
        """Return how many recipients a message may have."""
        return limits.recipients_per_message

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """Return a finding for each recipient after the first N that were accepted."""
        return self._beyond(session, len(session.envelope.recipients) + 1) if session.envelope else None


class RecipientsPerBounce(_Limit):
    """Limits the recipients of a message from <>.

    A bounce has one recipient, the sender of the original message (RFC 5321 §4.5.5); many are a sign of abuse.
    """

    name = "recipients_per_bounce"
    stages = frozenset({Stage.RCPT})

    @staticmethod
    def limit(limits: Limits) -> int:
        """Return how many recipients a bounce may have."""
        return limits.recipients_per_bounce

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """Return a finding for each recipient after the first N if the sender is empty."""
        envelope = session.envelope
        if envelope is None or envelope.sender.mailbox.local or envelope.sender.mailbox.domain:
            return None
        return self._beyond(session, len(envelope.recipients) + 1)


class MessageSize(_Limit):
    """Refuses a message that is too big: by the size that MAIL declares, and by the bytes received."""

    name = "message_size"
    stages = frozenset({Stage.RCPT, Stage.END})
    measures = True

    @staticmethod
    def limit(limits: Limits) -> int:
        """Return how many bytes a message may have."""
        return limits.message_size

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """Return a finding if SIZE= exceeds the limit (RFC 1870 §6.1).

        The declared size is only an estimate, so `at_end` checks the real one.
        """
        # If SIZE= is repeated, the largest value counts.
        declared = (_SIZE.fullmatch(param) for param in (session.envelope.sender.params if session.envelope else ()))
        return self._beyond(session, max((int(size[1]) for size in declared if size), default=0))

    def at_end(self, session: Session) -> Finding | None:
        """Return a finding if header and body, as received so far, exceed the limit."""
        return self._beyond(session, session.size)


class SessionSize(_Limit):
    """Ends the connection at the message with which the sum would exceed the limit; the first message always passes."""

    name = "session_size"
    stages = frozenset({Stage.END})
    measures = True

    @staticmethod
    def limit(limits: Limits) -> int:
        """Return how many bytes the messages of a connection may have together."""
        return limits.session_size

    def at_end(self, session: Session) -> Finding | None:
        """Return a finding if this message and those accepted earlier exceed the limit together."""
        # Without the exception for the first message, no connection could ever deliver one that is larger by itself.
        return self._beyond(session, session.octets + session.size) if session.messages else None


class MessagesPerSession(_Limit):
    """Ends the connection at the first message after N have been accepted."""

    name = "messages_per_session"
    stages = frozenset({Stage.RCPT})

    @staticmethod
    def limit(limits: Limits) -> int:
        """Return how many messages a connection may have."""
        return limits.messages_per_session

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """Return a finding for each recipient of a message beyond the limit."""
        return self._beyond(session, session.messages + 1)
