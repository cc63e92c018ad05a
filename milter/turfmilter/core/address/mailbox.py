"""A mail address from SMTP or a header, folded so that equal addresses compare equal."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

import idna
import idna.uts46data  # imported now: idna would load it at the first international name, after root was dropped

IPAddress = IPv4Address | IPv6Address

_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490 §3.1
_MAX_NAME_CHARACTERS = 253  # characters, RFC 1035 §2.3.4; IDNA takes quadratic time
_MAX_LABEL_CHARACTERS = 63  # characters, RFC 1035 §2.3.4: the A-label of a longer one would be longer still


class Mailbox(NamedTuple):
    """One address: local part and domain, both folded.

    `domain` is a name in A-labels, "[192.0.2.1]" for an address literal, or "" if the text had none.
    The empty sender <> is Mailbox("", "").
    """

    local: str
    domain: str

    @property
    def literal(self) -> IPAddress | None:
        """The address of a domain literal (RFC 5321 §4.1.3), or None for a name."""
        return literal_address(self.domain) if self.domain.startswith("[") else None

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


def fold_domain(text: str) -> str:
    """Return `text` in lower case and A-labels, without the trailing dot; literals in their shortest spelling.

    An invalid label (RFC 5891) is only converted to lower case.  It then matches nothing in any table,
    because tables contain only valid names.
    """
    if text.startswith("["):
        address = literal_address(text)
        return text.lower() if address is None else f"[{address}]"
    if text.isascii() or len(text) > _MAX_NAME_CHARACTERS:
        return text.lower().removesuffix(".")
    return ".".join(map(_fold_label, _DOTS.split(text))).removesuffix(".")


def is_spelled_out(domain: str) -> bool:
    """Return True if every label is ASCII or a U-label (RFC 5890 §2.3.2.1), so that folding changes only upper case.

    A name with a long s or a soft hyphen becomes an ASCII name only in programs that map characters, as this one does.
    """
    return domain.isascii() or all(map(_is_spelled_out, domain.removesuffix(".").split(".")))


def literal_address(domain: str) -> IPAddress | None:
    """Return the address in "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3), None for other domains."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    inside = domain[1:-1]
    if inside[:5].lower() == "ipv6:":
        inside = inside[5:]
    return parse_address(inside)


def parse_address(text: str) -> IPAddress | None:
    """Return the IP address in `text`, or None.  An IPv4-mapped IPv6 address becomes the IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return unmapped(address)


def unmapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), or the address itself."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _fold_label(label: str) -> str:
    if label.isascii() or len(label) > _MAX_LABEL_CHARACTERS:
        return label.lower()
    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except UnicodeError:
        return label.lower()


def _is_spelled_out(label: str) -> bool:
    if label.isascii():
        return True
    try:
        return idna.decode(_fold_label(label)) == label.lower() and unicodedata.is_normalized("NFC", label)
    except UnicodeError:
        return False
