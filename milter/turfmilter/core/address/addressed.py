"""A sender or recipient of the envelope with its ESMTP parameters, as the client sent it."""

from __future__ import annotations

import re
from typing import NamedTuple

# RFC 5321 §4.1.2: outside quotes, an address contains no blank, bracket, comment or list.  Both MTAs accept more.
_ORDINARY = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"<>(),;\\]|\\.)*', re.DOTALL)
_PARAMETER = re.compile(r'[A-Za-z0-9][A-Za-z0-9-]*(?:=[^\s"]*)?')  # RFC 5321 §4.1.2
# All keywords that Postfix and Sendmail have ever accepted; they reject others with 555, and no filter sees them.
_KEYWORDS = frozenset(["AUTH", "BODY", "BY", "ENVID", "NOTIFY", "ORCPT", "REQUIRETLS", "RET", "SIZE", "SMTPUTF8"])


class Addressed(NamedTuple):
    """An address in the client's own words, and its ESMTP parameters.

    An ordinary address has no <> in `text`; in <> it means the same to every MTA.  Any other text is kept exactly
    as it was sent, so that the MTA parses it again as it did the first time.
    """

    text: str
    parameters: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The address without <>, as in messages and in the ledger."""
        return bare(self.text)

    @property
    def path(self) -> str:
        """The argument of MAIL FROM: or RCPT TO:, without the parameters."""
        return f"<{self.text}>" if _ORDINARY.fullmatch(self.text) else self.text


def addressed(text: str, parameters: tuple[str, ...] = ()) -> Addressed:
    """Return the address that a client sent; `text` is the argument of MAIL FROM: or RCPT TO:."""
    inside = bare(text)
    return Addressed(inside if _ORDINARY.fullmatch(inside) else text, parameters)


def parted(line: str) -> Addressed:
    """Split a text into an address and its parameters, where nothing marks the end of the address.

    Held messages of format 1 contain such texts, always without <>.
    """
    address = line
    parameters: tuple[str, ...] = ()
    while True:
        # From the end: blanks may be part of a quoted local part, a comment or a domain, but never of a parameter.
        before, blank, word = address.rpartition(" ")
        if not blank or not _is_parameter(word) or before.count('"') % 2:
            return addressed(f"<{address}>", parameters)
        address, parameters = before, (word, *parameters)


def keyword(parameter: str) -> str:
    """Return the keyword of an ESMTP parameter, in upper case."""
    return parameter.partition("=")[0].upper()


def bare(text: str) -> str:
    """Return an address argument without its <>."""
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _is_parameter(word: str) -> bool:
    return bool(_PARAMETER.fullmatch(word)) and keyword(word) in _KEYWORDS
