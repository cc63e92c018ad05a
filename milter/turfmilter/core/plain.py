"""The plain entries of which a big table mostly consists, recognised at a glance.

What these functions recognise they read exactly as parse_sender and parse_host do; all else is left to those.
"""

from __future__ import annotations

import re

from turfmilter.core.pattern import Address, Domain, Interval, Kind, Name, Parts

_LONGEST = 63  # of a line: then no label in it is too long, nor the name (RFC 1035 §2.3.4)
_WORD = "[a-zA-Z0-9_]+"
_LABEL = rf"{_WORD}(?:-+{_WORD})*"
_DOMAIN = rf"{_LABEL}\.{_WORD}(?:(?:\.|-+){_WORD})*(?<=[a-zA-Z])"  # a letter at the end: no address
_SENDER = re.compile(rf"(?:=|[a-zA-Z0-9_.+-]*)@{_DOMAIN}").fullmatch
_NAME = re.compile(rf"=?{_DOMAIN}").fullmatch
_HEX = re.compile("[0-9a-fA-F:]+").fullmatch

_A, _B, _C, _D = ({str(byte): byte << shift for byte in range(256)} for shift in (24, 16, 8, 0))
_HOST_BITS_4 = {str(length): (1 << 32 - length) - 1 for length in range(33)}
_HOST_BITS_6 = {str(length): (1 << 128 - length) - 1 for length in range(129)}
_ADDRESS, _NETWORK = Kind.ADDRESS, Kind.NETWORK


def plain_sender(line: str) -> Parts | None:
    """The parts of user@domain, @domain or =@domain."""
    if len(line) > _LONGEST or not _SENDER(line):
        return None
    return split_sender(line)


def split_sender(line: str) -> Parts:
    """The parts of what is known to be plain."""
    local, _, domain = line.lower().rpartition("@")
    if not local:
        return Domain, domain, False
    return (Domain, domain, True) if local == "=" else (Address, local, domain)


def plain_host(line: str) -> Parts | None:
    """The parts of an address, a network with its prefix length, name or =name."""
    interval = plain_interval(line) if line[:1].isdigit() or ":" in line else None
    if interval or len(line) > _LONGEST or not _NAME(line):
        return interval
    name = line.lower()
    return (Name, name[1:], True) if name[0] == "=" else (Name, name, False)


def plain_interval(line: str) -> Parts | None:
    """The parts of an address or of a network with its prefix length."""
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
    missing = 8 - len(before) - len(after)
    if (missing < 1 if gap else missing != 0) or not all(1 <= len(group) <= 4 for group in before + after):
        return None
    first = int("".join([group.zfill(4) for group in (*before, *["0"] * missing, *after)]), 16)
    if first & host_bits or first >> 32 == 0xFFFF:  # the latter is an IPv4 address (RFC 4291 §2.5.5.2)
        return None
    return Interval, 6, first, first | host_bits, _NETWORK if host_bits else _ADDRESS
