"""Plain entries, of which big tables mostly consist: recognised and split without the careful parser.

The functions accept a few common shapes and read them exactly as parse_sender and parse_host do.  They return None
for everything else, valid or not, and leave it to those.
"""

from __future__ import annotations

import re
from datetime import date

from turfmilter.core.table.pattern import Address, Domain, Interval, IntervalKind, Local, Name, Parts

# With at most 63 characters in the line, no label in it is too long, and neither is the name (RFC 1035 §2.3.4),
# so the expressions below need not count.
_MAX_PLAIN_LINE_CHARACTERS = 63
# "++" and "*+" never give back what they matched: no shorter match could be followed by what must follow it here, so
# a line with notes fails sooner.  They are not used after groups: before 3.11.5, Python may match those wrongly.
_WORD = "[a-zA-Z0-9_]++"
_LABEL = rf"{_WORD}(?:-++{_WORD})*"
# Two labels or more (a single one deserves a warning), and a letter at the end: so it is not an IPv4 address.
_DOMAIN = rf"{_LABEL}\.{_WORD}(?:(?:\.|-++){_WORD})*(?<=[a-zA-Z])"
_LOCAL = "[a-zA-Z0-9_.+-]++"
_SENDER = re.compile(rf"{_LOCAL}@(?:{_DOMAIN})?|=?@{_DOMAIN}").fullmatch
_NAME = re.compile(rf"=?{_DOMAIN}").fullmatch
_HEX = re.compile("[0-9a-fA-F:]+").fullmatch
# An entry with a sign, notes or both, as `turfctl turf add` writes them: each note at most once, in any order, and no
# backslash inside quotes.  "(?(3)(?!))" fails if group 3 has matched already; groups: "!", entry, expires, why, by.
_VALUE = r'("[^"\\]*+"|[^\s"]*+)'
_NOTED = re.compile(
    r'(!?)([^\s"]++)(?:[ \t]++(?:(?(3)(?!))expires=([0-9]{4}-[0-9]{2}-[0-9]{2})'
    rf"|(?(4)(?!))why={_VALUE}|(?(5)(?!))by={_VALUE}))*"
).fullmatch

# The value of each of the four numbers of an IPv4 address, and the host bits that follow from a prefix length.
# Looking up the text is faster than int(), and refuses leading zeros, signs and blanks, which int() accepts.
_A, _B, _C, _D = ({str(byte): byte << shift for byte in range(256)} for shift in (24, 16, 8, 0))
_HOST_BITS_4 = {str(length): (1 << 32 - length) - 1 for length in range(33)}
_HOST_BITS_6 = {str(length): (1 << 128 - length) - 1 for length in range(129)}
_MAPPED_PREFIX = 0xFFFF  # ::ffff:0:0/96: the upper 96 bits of an IPv4-mapped address (RFC 4291 §2.5.5.2)
_ADDRESS, _NETWORK = IntervalKind.ADDRESS, IntervalKind.NETWORK  # an attribute of an Enum is slow to reach


def without_notes(line: str) -> tuple[str, bool, date | None] | None:
    """Return the entry in a line without its sign and notes, whether it is an exception, and its last day (UTC).

    None for a line with anything else in it, or a day that does not exist.  The entry itself is not checked.
    """
    noted = _NOTED(line)
    if not noted:
        return None
    sign, entry, expires = noted.group(1, 2, 3)
    try:
        return entry, sign != "", date.fromisoformat(expires) if expires else None
    except ValueError:
        return None


def plain_sender(line: str) -> Parts | None:
    """Return the parts of user@domain, @domain, =@domain or user@; None for any other line."""
    return split_sender(line) if len(line) <= _MAX_PLAIN_LINE_CHARACTERS and _SENDER(line) else None


def split_sender(line: str) -> Parts:
    """Return the parts of a line that `plain_sender` accepts, without checking it again."""
    local, _, domain = line.lower().rpartition("@")
    if not domain:
        return Local, local
    if not local:
        return Domain, domain, False
    return (Domain, domain, True) if local == "=" else (Address, local, domain)


def plain_host(line: str) -> Parts | None:
    """Return the parts of an address, a network with a prefix length, name or =name; None for any other line."""
    interval = plain_interval(line) if line[:1].isdigit() or ":" in line else None
    if interval or len(line) > _MAX_PLAIN_LINE_CHARACTERS or not _NAME(line):
        return interval
    name = line.lower()
    return (Name, name[1:], True) if name[0] == "=" else (Name, name, False)


def plain_interval(line: str) -> Parts | None:
    """Return the parts of an address or of a network with a prefix length; None for any other line."""
    base, slash, length = line.partition("/")
    try:
        a, b, c, d = base.split(".")
        first = _A[a] | _B[b] | _C[c] | _D[d]
    except (ValueError, KeyError):
        return _ipv6(base, slash, length)
    host_bits = _HOST_BITS_4.get(length) if slash else 0
    if host_bits is None or first & host_bits:
        return None
    return Interval, 4, first, first | host_bits, _NETWORK if host_bits else _ADDRESS


def _ipv6(base: str, slash: str, length: str) -> Parts | None:
    host_bits = _HOST_BITS_6.get(length) if slash else 0
    if host_bits is None or not _HEX(base):
        return None
    head, gap, tail = base.partition("::")
    before, after = head.split(":") if head else [], tail.split(":") if tail else []
    missing = 8 - len(before) - len(after)  # of the eight groups: "::" replaces one or more, without it none is missing
    if (missing < 1 if gap else missing != 0) or not all(1 <= len(group) <= 4 for group in before + after):
        return None
    first = int("".join([group.zfill(4) for group in (*before, *["0"] * missing, *after)]), 16)
    if first & host_bits or first >> 32 == _MAPPED_PREFIX:
        return None
    return Interval, 6, first, first | host_bits, _NETWORK if host_bits else _ADDRESS
