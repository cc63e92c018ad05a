"""Which SMTP extensions a message needs from the next hop, and which of its ESMTP parameters are passed on."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from turfmilter.core.address.addressed import Addressed, keyword

# The parameters that may be passed on, each with the EHLO keyword of its extension.
_EXTENSIONS = {
    "BODY": "8bitmime",  # RFC 6152
    "RET": "dsn",  # RFC 3461
    "ENVID": "dsn",
    "NOTIFY": "dsn",
    "ORCPT": "dsn",
    "SMTPUTF8": "smtputf8",  # RFC 6531
    "REQUIRETLS": "requiretls",  # RFC 8689
}
# Parameters whose absence loses nothing: SIZE= is computed again, AUTH= was only the client's claim (RFC 4954 §5),
# and a message that needs one of the others is not sent without it (`Needs`).
_NO_LOSS = {"SIZE", "AUTH", "BODY", "SMTPUTF8", "REQUIRETLS"}
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a message needs from the next hop.  Each field is the reason in words, "" if it is not needed."""

    smtputf8: str
    eight_bits: str
    tls: str
    impossible: str

    def unmet(self, extensions: Container[str], *, encrypted: bool) -> str:
        """Why the message cannot be sent to a next hop with these `extensions`; "" if it can."""
        if self.impossible:
            return f"{self.impossible}, which turfctl does not support"
        if self.tls and not (encrypted and "requiretls" in extensions):
            return f"it does not offer STARTTLS with REQUIRETLS (RFC 8689), and {self.tls}"
        if self.smtputf8 and "smtputf8" not in extensions:
            return f"it does not offer SMTPUTF8 (RFC 6531), and there is UTF-8 in {self.smtputf8}"
        if self.eight_bits and "8bitmime" not in extensions:
            return f"it does not offer 8BITMIME (RFC 6152), and {self.eight_bits}"
        return ""


def needs(sender: Addressed, recipients: Sequence[Addressed], message: bytes) -> Needs:
    """What this message, with this sender and these recipients, needs from the next hop."""
    declared = {keyword(parameter): parameter for parameter in sender.parameters}
    utf8 = "an address" if any(map(_is_international, (sender, *recipients))) else ""
    # Without the parameter, raw bytes in a header are malformed mail, which both MTAs pass on unchanged.
    if not utf8 and "SMTPUTF8" in declared and _has_utf8_in_a_header(message):
        utf8 = "a header"
    return Needs(
        smtputf8=utf8,
        eight_bits="the message has 8-bit characters" if _EIGHT_BIT.search(message) else "",
        tls="the sender asked for REQUIRETLS" if "REQUIRETLS" in declared else "",
        impossible="the message needs BINARYMIME" if declared.get("BODY", "").upper() == "BODY=BINARYMIME" else "",
    )


def mail(sender: Addressed, needed: Needs, extensions: Container[str]) -> str:
    """The argument of MAIL FROM: with those parameters that a next hop with these `extensions` accepts."""
    words = [sender.path, *_accepted(sender, extensions)]
    if needed.smtputf8 and "SMTPUTF8" not in map(keyword, sender.parameters):
        words.append("SMTPUTF8")  # Postfix accepts UTF-8 from clients that did not declare it; other servers do not
    return " ".join(words)


def rcpt(recipient: Addressed, extensions: Container[str]) -> str:
    """The argument of RCPT TO:, with those parameters that a next hop with these `extensions` accepts."""
    return " ".join((recipient.path, *_accepted(recipient, extensions)))


def lost(parties: Iterable[Addressed], extensions: Container[str]) -> list[str]:
    """The parameters that this next hop does not accept and without which the message is sent nevertheless."""
    return [
        parameter
        for party in parties
        for parameter in party.parameters
        if keyword(parameter) not in _NO_LOSS and _EXTENSIONS.get(keyword(parameter)) not in extensions
    ]


def _accepted(party: Addressed, extensions: Container[str]) -> Iterator[str]:
    return (p for p in party.parameters if _EXTENSIONS.get(keyword(p)) in extensions)


def _is_international(party: Addressed) -> bool:
    return not all(word.isascii() for word in (party.text, *party.parameters))


def _has_utf8_in_a_header(message: bytes) -> bool:
    """True if there are 8-bit characters in the header or in that of a MIME part (RFC 6531 §3.2 covers both)."""
    within = True
    for line in BytesIO(message):
        if not line.strip():
            within = False
        elif line.startswith(b"--") and line[2:].strip():  # a delimiter, or what may be one; "-- " is above a signature
            within = True
        elif within and _EIGHT_BIT.search(line):
            return True
    return False
