"""What a listener requires of its clients: Exchange's second virtual server, for submission."""

from __future__ import annotations

from collections.abc import Iterator

from turfmilter.core.finding import Finding
from turfmilter.core.rule import Fact, Looked, Rule, Stage
from turfmilter.core.session import Recipient, Session


class RequireAuth(Rule):
    """Refuses clients that have not authenticated (RFC 4954 §6)."""

    name = "require_auth"
    stages = frozenset({Stage.RCPT})

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """Return a finding if the client has not authenticated."""
        return None if session.account else Finding(self.name)

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield the account."""
        yield Looked("account", session.account or "none")


class RequireTls(Rule):
    """Refuses clients that have not started TLS (RFC 3207 §4)."""

    name = "require_tls"
    stages = frozenset({Stage.RCPT})
    facts = frozenset({Fact.TLS})

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """Return a finding if the connection is not encrypted."""
        return None if session.tls else Finding(self.name)

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield whether the connection is encrypted."""
        yield Looked("TLS", "yes" if session.tls else "no")
