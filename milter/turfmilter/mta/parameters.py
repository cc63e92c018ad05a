"""The ESMTP parameters of an envelope address, as they stand behind it in a held message's block."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from turfmilter.core.report import parted

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


def addressed(text: str) -> Addressed:
    """`text` as a Slip has it."""
    return Addressed(*parted(text))


def _keyword(parameter: str) -> str:
    return parameter.partition("=")[0].upper()
