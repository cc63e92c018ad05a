"""Recipients that a refusal does not stop: Sendmail delivers to them all the same."""

from __future__ import annotations

import re

from turfmilter.core.finding import Finding
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Recipient, Session

_QUOTED = r'"[^"\\]*"'
# No comma that could part two addresses, but in a source route inside <> (RFC 5321 §4.1.2).
_WHOLE = re.compile(rf'<@[\w.-]+(?:,@[\w.-]+)*:(?:[^,"\\]|{_QUOTED})*>|(?:[^,"\\]|{_QUOTED})*')


class UnrefusableRecipient(Rule):
    """Ends the connection with a recipient that Sendmail cannot take back.

    Sendmail 8.17 lists a recipient before it asks the filter, and looks for what was refused by cutting the text at its
    commas.  Where that does not find it, the message goes to the refused recipient too, with those that were taken.
    """

    name = "recipient"
    stages = frozenset({Stage.RCPT})

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """A finding for a recipient with a comma outside of quotes; such mail is no longer written."""
        if "," not in recipient.text or _WHOLE.fullmatch(recipient.text):
            return None
        return Finding(self.name, "cannot be refused alone")
