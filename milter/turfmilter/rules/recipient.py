"""Recipients that cannot be refused: Sendmail delivers to them in spite of the refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from turfmilter.core.finding import Finding
from turfmilter.core.rule import Looked, Rule, Stage
from turfmilter.core.session import Recipient, Session

_QUOTED = r'"[^"\\]*"'
# Text without a comma that could separate two addresses, except in a source route inside <> (RFC 5321 §4.1.2).
_WHOLE = re.compile(rf'<@[\w.-]+(?:,@[\w.-]+)*:(?:[^,"\\]|{_QUOTED})*>|(?:[^,"\\]|{_QUOTED})*')


class UnrefusableRecipient(Rule):
    """Ends the connection at a recipient that Sendmail cannot remove from the message again.

    Sendmail 8.17 adds a recipient to its list before it asks the filter.  After a refusal it splits the text at its
    commas to find the recipient in the list.  If it does not find it, the message is delivered to the refused
    recipient as well, together with those that were accepted.
    """

    name = "recipient"
    stages = frozenset({Stage.RCPT})

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:  # noqa: ARG002
        """Yield the text of the recipient."""
        if recipient:
            yield Looked("recipient", recipient.text)

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """Return a finding for a recipient with a comma outside quotes, which mail programs no longer write."""
        if "," not in recipient.text or _WHOLE.fullmatch(recipient.text):
            return None
        return Finding(self.name, "cannot be refused alone")
