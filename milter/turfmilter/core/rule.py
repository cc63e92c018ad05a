"""What every rule is: one method a stage, each returning what it saw or None."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from turfmilter.core.finding import Finding
from turfmilter.core.session import Recipient, Session


class Stage(StrEnum):
    """The events at which a rule may look; the values are the methods of Rule."""

    CONNECT = "at_connect"
    MAIL = "at_mail"
    RCPT = "at_rcpt"
    HEADERS = "at_headers"
    END = "at_end"


class Rule:
    """One control.  It says what it saw; what is done about it is the Policy's business.

    A rule overrides only the stages at which it looks: those alone are asked of the MTA.
    What is known at connect and HELO is looked at in `at_rcpt`, where refusals are answered.
    `wants` are the header fields that it reads, in lower case; `measures` says that it reads the message's size.
    """

    name: ClassVar[str]
    wants: ClassVar[frozenset[str]] = frozenset()
    measures: ClassVar[bool] = False

    @property
    def facts(self) -> frozenset[str]:
        """Which of "host", "local_address" and "tls" it looks at: others are not asked for."""
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

    @classmethod
    def looks_at(cls, stage: Stage) -> bool:
        """True when this rule overrides the method of `stage`."""
        return getattr(cls, stage) is not getattr(Rule, stage)
