"""The base class of all rules: one method for each stage, which returns what the rule saw, or None."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import ClassVar, NamedTuple

from turfmilter.core.finding import Finding
from turfmilter.core.session import Recipient, Session
from turfmilter.core.table.entry import Entry


class Stage(Enum):
    """The events at which a rule can be called, each with the method of Rule for it."""

    CONNECT = auto()  # Rule.at_connect
    MAIL = auto()  # Rule.at_mail
    RCPT = auto()  # Rule.at_rcpt
    HEADERS = auto()  # Rule.at_headers
    END = auto()  # Rule.at_end


class Fact(Enum):
    """A value that is requested from the MTA only if it can change a result: fetching a macro costs a call each."""

    HOST = auto()  # Connection.host
    LOCAL_ADDRESS = auto()  # Connection.local_address
    PORT = auto()  # Connection.port
    TLS = auto()  # Session.tls


class Looked(NamedTuple):
    """One thing that a rule looks at, for people: `what` it is, its `value`, and the entries that match it.

    The entries are those of one table, the most specific first; one that has expired does not decide.
    """

    what: str
    value: str
    entries: Sequence[Entry] = ()


class Rule:
    """One control.  A rule reports what it saw; the Policy decides what is done about it.

    `stages` are the events at which it is called: it overrides the method of each, and no other events are requested
    from the MTA.  What is known at connect and HELO is checked in `at_rcpt`, because refusals are answered there.
    `wants` are the names of the header fields that it reads, in lower case; `measures` is True if it reads the size
    of the message.
    """

    name: ClassVar[str]
    stages: frozenset[Stage]  # has no default, so that a rule without it fails when its Policy is used
    wants: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[bool] = False

    @property
    def facts(self) -> frozenset[Fact]:
        """The optional values that the rule reads."""
        return frozenset()

    @property
    def needs_names(self) -> bool:
        """True if the name of any client can change the finding: the MTA then reports each client when it connects."""
        return False

    def asks_names(self, session: Session) -> bool:  # noqa: ARG002
        """Return True if the name of this client can change the finding: the lookup then starts at connect.

        Called only if `needs_names` is True.  If the rule asks for the name although this returned False, the lookup
        starts then, and the rule waits longer.
        """
        return self.needs_names

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield what the rule looks at, for explanations; `recipient` is None except at RCPT.

        It decides nothing, and waits for DNS only if the rule did.
        """
        return iter(())

    def at_connect(self, session: Session) -> Finding | None:
        """Check the client; only rules that refuse the connection itself do so here."""

    def at_mail(self, session: Session) -> Finding | None:
        """Check the sender."""

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:
        """Check one more recipient.  Never called for local submissions."""

    def at_headers(self, session: Session) -> Finding | None:
        """Check the header: all fields have been received, and the authors are known."""

    def at_end(self, session: Session) -> Finding | None:
        """Check the message: all of it has been received."""
