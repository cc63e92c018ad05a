"""SMTP replies: code, enhanced code and text as one validated value, and the table of all replies."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENHANCED = r"[45]\.\d{1,3}\.\d{1,3}"
_SHAPE = re.compile(rf"(?P<code>[45][0-5]\d) +(?P<enhanced>{_ENHANCED}) +(?P<text>\S.*)", re.ASCII)
_MAX_TEXT_CHARACTERS = 480  # characters; RFC 5321 §4.5.3.1.5: at most 512 octets for the line with both codes and CRLF


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply line, e.g. Reply(550, "5.7.1", "relaying prohibited").

    Raises ValueError, with the reason, if the codes are of different classes (RFC 2034 §4; Postfix rejects such a
    reply), or if the text is not one line of printable ASCII without "%" (libmilter's format character).
    """

    code: int
    enhanced: str
    text: str

    def __post_init__(self) -> None:
        if not 400 <= self.code <= 559:
            raise ValueError(f"{self.code} is not a refusal: a code from 400 to 559 is needed")
        if not re.fullmatch(_ENHANCED, self.enhanced, re.ASCII):
            raise ValueError(f'"{self.enhanced}" is not an enhanced code such as "5.7.1" (RFC 3463)')
        if self.enhanced[0] != str(self.code)[0]:
            raise ValueError(f"{self.code} and {self.enhanced} are of different classes (RFC 2034)")
        if not self.text or not self.text.isascii() or not self.text.isprintable():
            raise ValueError("the text must be one line of printable ASCII")
        if "%" in self.text:
            raise ValueError('the text must not contain "%"')
        if len(self.text) > _MAX_TEXT_CHARACTERS:
            raise ValueError(f"the text is longer than {_MAX_TEXT_CHARACTERS} characters (RFC 5321 §4.5.3.1.5)")

    @property
    def permanent(self) -> bool:
        """True for 5xx: the client must not repeat the command (RFC 5321 §4.2.1)."""
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"

    @classmethod
    def parse(cls, text: str) -> Reply:
        """Return the reply written as "550 5.7.1 text".  Raises ValueError with the reason if it is not valid."""
        shape = _SHAPE.fullmatch(text)
        if shape is None:
            raise ValueError('a reply is written "550 5.7.1 text": code, enhanced code and text')
        return cls(int(shape["code"]), shape["enhanced"], shape["text"])


# Every reply that the program can give, by the name of its cause; docs/reference/replies.md is generated from it.
REPLIES = {
    "connect": Reply(550, "5.7.1", "connection refused by local policy"),
    "connect-unavailable": Reply(451, "4.7.1", "cannot verify the client at the moment, try again later"),
    "reverse_name": Reply(550, "5.7.25", "the reverse DNS of the client does not qualify"),
    "reverse_name-unavailable": Reply(451, "4.7.25", "cannot verify the client's host name at the moment"),
    "remove_forged": Reply(550, "5.7.1", "too many Authentication-Results fields"),
    "require_auth": Reply(530, "5.7.0", "authentication required"),
    "require_tls": Reply(530, "5.7.0", "must issue a STARTTLS command first"),
    "relay": Reply(550, "5.7.1", "relaying prohibited"),
    "relay-unavailable": Reply(451, "4.7.1", "cannot verify the client at the moment, try again later"),
    "recipients_per_message": Reply(452, "4.5.3", "too many recipients in this message, send it again for the others"),
    "recipients_per_bounce": Reply(550, "5.5.3", "too many recipients for a bounce"),
    "message_size": Reply(552, "5.3.4", "message too big"),
    "session_size": Reply(421, "4.7.0", "too much mail in one connection, continue in a new one"),
    "messages_per_session": Reply(421, "4.7.0", "too many messages in one connection, continue in a new one"),
    "header": Reply(550, "5.6.0", "too many header fields"),
    "turf": Reply(550, "5.7.1", "message refused by local policy"),
    "quarantine-full": Reply(452, "4.3.1", "insufficient storage, try again later"),
    "quarantine-error": Reply(451, "4.3.0", "cannot take the message at the moment, try again later"),
    "recipient": Reply(421, "4.7.0", "cannot refuse this recipient alone, closing the connection"),
    "recipient-unclear": Reply(451, "4.3.0", "cannot handle these recipients together, send them one by one"),
    "error": Reply(451, "4.3.0", "temporary error in the mail filter, try again later"),
}
