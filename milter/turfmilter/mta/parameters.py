"""The ESMTP parameters of an envelope address, as they stand behind it in a held message's block."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

# The keyword of an extension (RFC 1869 §4.1.1, as EHLO names it) behind each parameter that may be repeated.
# SIZE= is counted anew, and AUTH= was the client's own claim.
_EXTENSIONS = {
    "BODY": "8bitmime",  # RFC 6152
    "RET": "dsn",  # RFC 3461
    "ENVID": "dsn",
    "NOTIFY": "dsn",
    "ORCPT": "dsn",
    "SMTPUTF8": "smtputf8",  # RFC 6531
    "REQUIRETLS": "requiretls",  # RFC 8689
}
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=[^=\s\x00-\x1f\x7f\"]*)?")  # RFC 5321 §4.1.2
_UNREPEATED = {"SIZE", "AUTH"}


@dataclass(frozen=True, slots=True)
class Addressed:
    """An address without <>, and its parameters as the client wrote them."""

    address: str
    parameters: tuple[str, ...] = ()

    def command(self, extensions: Container[str]) -> str:
        """The address in <>, with those parameters that a next hop with these `extensions` takes."""
        taken = (p for p in self.parameters if _EXTENSIONS.get(_keyword(p)) in extensions)
        return " ".join((f"<{self.address}>", *taken))

    def lost(self, extensions: Container[str]) -> tuple[str, ...]:
        """The parameters that would have mattered, and that this next hop does not take."""
        return tuple(
            p
            for p in self.parameters
            if _keyword(p) not in _UNREPEATED and _EXTENSIONS.get(_keyword(p)) not in extensions
        )


def split(text: str) -> Addressed:
    """`text` as a block shows it: an address, which may hold blanks in quotes or comments, then parameters."""
    address = text
    parameters: list[str] = []
    while True:
        before, blank, last = address.rpartition(" ")
        if not blank or not _is_parameter(last) or before.count('"') % 2:
            return Addressed(address, tuple(reversed(parameters)))
        parameters.append(last)
        address = before


def _is_parameter(word: str) -> bool:
    return _PARAMETER.fullmatch(word) is not None and _keyword(word) in _EXTENSIONS.keys() | _UNREPEATED


def _keyword(parameter: str) -> str:
    return parameter.partition("=")[0].upper()
