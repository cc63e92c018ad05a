"""What every rule is: one method for each stage, which returns what it saw or None."""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar

from turfmilter.core.finding import Finding
from turfmilter.core.session import Recipient, Session


class Stage(Enum):
    """The events at which a rule may look, each with the method of Rule that is called there."""

    CONNECT = auto()  # Rule.at_connect
    MAIL = auto()  # Rule.at_mail
    RCPT = auto()  # Rule.at_rcpt
    HEADERS = auto()  # Rule.at_headers
    END = auto()  # Rule.at_end


class Fact(Enum):
    """What the MTA is asked for only where it can change a result: each is a macro, and each macro costs a call."""

    HOST = auto()  # Connection.host
    LOCAL_ADDRESS = auto()  # Connection.local_address
    PORT = auto()  # Connection.port
    TLS = auto()  # Session.tls


class Rule:
    """One control.  It says what it saw; what is done about it is the Policy's business.

    `stages` are those at which it looks: it overrides the method of each, and is called at no other; the MTA is asked
    for no more.  What is known at connect and HELO is looked at in `at_rcpt`, where refusals are answered.
    `wants` are the header fields that it reads, in lower case; `measures` says that it reads the message's size.
    """

    name: ClassVar[str]
    stages: frozenset[Stage]  # without a default: a rule that forgets it fails when its Policy is used
    wants: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[bool] = False

    @property
    def facts(self) -> frozenset[Fact]:
        """What it looks at of that which is not always known."""
        return frozenset()

    @property
    def needs_names(self) -> bool:
        """True when some client's name can change what the rule finds: the MTA then tells of a client at once."""
        return False

    def asks_names(self, session: Session) -> bool:  # noqa: ARG002
        """True when the name of this very client could change what the rule finds: the look-up then starts at connect.

        It is only asked where `needs_names` is True.  A rule may ask for a name for all that, and then waits longer.
        """
        return self.needs_names

    def at_connect(self, session: Session) -> Finding | None:
        """The client is known; only a rule that refuses at once looks here."""

    def at_mail(self, session: Session) -> Finding | None:
        """The sender is known."""

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:
        """One more recipient is asked for; never called for local submissions."""

    def at_headers(self, session: Session) -> Finding | None:
        """All header fields have been seen: the authors are known."""

    def at_end(self, session: Session) -> Finding | None:
        """The whole message has been seen."""
