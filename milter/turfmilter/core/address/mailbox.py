"""An address as SMTP or a header spells it, folded so that equal addresses compare equal."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

import idna
import idna.uts46data  # now: idna loads it at the first international name, when root is somebody else already

IPAddress = IPv4Address | IPv6Address

_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490 §3.1
_LONGEST = 253  # RFC 1035 §2.3.4; IDNA takes quadratic time
_LONGEST_LABEL = 63  # RFC 1035 §2.3.4: the A-label of a longer one would be longer still


class Mailbox(NamedTuple):
    """One address: local part and domain, both folded.

    `domain` is a name in A-labels, "[192.0.2.1]" for an address literal, or "" when the text had none.
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
    """`text` in lower case and A-labels, without the trailing dot; literals in their shortest spelling.

    A label that is not valid (RFC 5891) is only lower-cased: it then equals none in any table,
    because tables hold valid names only.
    """
    if text.startswith("["):
        address = literal_address(text)
        return text.lower() if address is None else f"[{address}]"
    if text.isascii() or len(text) > _LONGEST:
        return text.lower().removesuffix(".")
    return ".".join(map(_fold_label, _DOTS.split(text))).removesuffix(".")


def is_spelled_out(domain: str) -> bool:
    """True when nothing but upper case is mapped in `domain`: every label is ASCII or a U-label (RFC 5890 §2.3.2.1).

    A name with a long s or a soft hyphen becomes one of ASCII only in programs that map, such as this one.
    """
    return domain.isascii() or all(map(_is_spelled_out, domain.removesuffix(".").split(".")))


def literal_address(domain: str) -> IPAddress | None:
    """The address in "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3), else None."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    inside = domain[1:-1]
    if inside[:5].lower() == "ipv6:":
        inside = inside[5:]
    return parse_address(inside)


def parse_address(text: str) -> IPAddress | None:
    """The address written in `text`, or None.  An IPv4-mapped IPv6 address is the IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return unmapped(address)


def unmapped(address: IPAddress) -> IPAddress:
    """The IPv4 address in an IPv4-mapped IPv6 one (RFC 4291 §2.5.5.2), else the address itself."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _fold_label(label: str) -> str:
    if label.isascii() or len(label) > _LONGEST_LABEL:
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
