"""The plain entries of which a big table mostly consists, recognised at a glance.

What these functions recognise they read exactly as parse_sender and parse_host do; all else is left to those.
"""

from __future__ import annotations

import re

from turfmilter.core.pattern import Address, Domain, Interval, Kind, Name, Parts

_LONGEST = 63  # of a line: then no label in it is too long, nor the name (RFC 1035 §2.3.4)
_LABEL = r"\w++(?:-++\w++)*+"
_DOMAIN = rf"{_LABEL}\.\w++(?:(?:\.|-++)\w++)*+(?<=[a-zA-Z])"  # a letter at the end: no address
_SENDER = re.compile(rf"(?:=|[\w.+-]*+)@{_DOMAIN}", re.ASCII).fullmatch
_NAME = re.compile(rf"=?{_DOMAIN}", re.ASCII).fullmatch
_HEX = re.compile("[0-9a-fA-F:]+").fullmatch

_NUMBERS = {str(number): number for number in range(256)}
_HOST_BITS = {
    4: {str(length): (1 << 32 - length) - 1 for length in range(33)},
    6: {str(length): (1 << 128 - length) - 1 for length in range(129)},
}


def plain_sender(line: str) -> Parts | None:
    """The parts of user@domain, @domain or =@domain."""
    if len(line) > _LONGEST or not _SENDER(line):
        return None
    local, _, domain = line.lower().rpartition("@")
    if not local:
        return Domain, domain, False
    return (Domain, domain, True) if local == "=" else (Address, local, domain)


def plain_host(line: str) -> Parts | None:
    """The parts of an address, a network with its prefix length, name or =name."""
    interval = plain_interval(line)
    if interval or len(line) > _LONGEST or not _NAME(line):
        return interval
    name = line.lower()
    return (Name, name[1:], True) if name[0] == "=" else (Name, name, False)


def plain_interval(line: str) -> Parts | None:
    """The parts of an address or of a network with its prefix length."""
    base, slash, length = line.partition("/")
    numbers = base.split(".")
    if len(numbers) == 4:
        version, first = 4, _ipv4(numbers)
    else:
        version, first = 6, _ipv6(base)
    if first is None:
        return None
    if not slash:
        return Interval, version, first, first, Kind.ADDRESS
    host_bits = _HOST_BITS[version].get(length)
    if host_bits is None or first & host_bits:
        return None
    return Interval, version, first, first | host_bits, Kind.NETWORK if host_bits else Kind.ADDRESS


def _ipv4(numbers: list[str]) -> int | None:
    try:
        a, b, c, d = map(_NUMBERS.__getitem__, numbers)
    except KeyError:
        return None
    return a << 24 | b << 16 | c << 8 | d


def _ipv6(text: str) -> int | None:
    if not _HEX(text):
        return None
    head, gap, tail = text.partition("::")
    before, after = head.split(":") if head else [], tail.split(":") if tail else []
    missing = 8 - len(before) - len(after)
    if (missing < 1 if gap else missing != 0) or not all(1 <= len(group) <= 4 for group in before + after):
        return None
    groups = [*before, *["0"] * missing, *after]
    number = int("".join([group.zfill(4) for group in groups]), 16)
    return number if number >> 32 != 0xFFFF else None  # an IPv4 address (RFC 4291 §2.5.5.2)
