"""Addresses, networks and ranges: one interval of numbers, however it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address, ip_address, ip_network

from turfmilter.core.address.hostname import PatternError, looks_numeric
from turfmilter.core.address.mailbox import IPAddress, parse_address

_MAX_PREFIX_DIGITS = 3  # "128"
_PART_OF_IPV4 = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,2})\.?(?:\.\*)?(?:/(\d{1,2}))?", re.ASCII)


class IntervalKind(IntEnum):
    """How an interval was written; the smaller number is the more specific kind, whatever the sizes."""

    ADDRESS = 0
    RANGE = 1
    NETWORK = 2


@dataclass(frozen=True, slots=True)
class Interval:
    """The addresses of one family (4 or 6) from `first` to `last`, both included.

    An interval of a single address is an ADDRESS: 192.0.2.1/32 is as specific as 192.0.2.1.
    """

    version: int
    first: int
    last: int
    kind: IntervalKind


def parse_interval(text: str) -> Interval | None:
    """Parse an address, network or range; return None if `text` is not one of them and may be a name.

    An IPv4-mapped IPv6 address becomes the IPv4 address.  Raises PatternError.
    """
    if "%" in text:  # ip_address() accepts a zone, but no MTA reports one
        raise PatternError("a zone after the address", f"probably meant {re.sub('%[^/;-]*', '', text)}")
    if "/" in text or ";" in text:
        return _network(text)
    first, dash, last = text.partition("-")
    if dash and looks_numeric(first) and looks_numeric(last):
        return _range(first, last)
    if not looks_numeric(text.removesuffix(".*")):
        return None
    address = _address(text)
    return Interval(address.version, int(address), int(address), IntervalKind.ADDRESS)


def _network(text: str) -> Interval:
    base, _, size = text.replace(";", "/", 1).partition("/")
    try:
        address = ip_address(base)
    except ValueError:
        raise PatternError(f'"{base}" is not an address', _address_hint(text)) from None
    length = _mask_length(address, size) if "." in size or ";" in text else _prefix_length(address, size)
    if isinstance(address, IPv6Address) and address.ipv4_mapped and length >= 96:
        address, length = address.ipv4_mapped, length - 96
    host_bits = (1 << address.max_prefixlen - length) - 1
    first = int(address)
    if first & host_bits:
        network = ip_network(f"{address}/{length}", strict=False)
        raise PatternError("host bits are set in the network", f"probably meant {network} or {base}")
    return Interval(
        address.version, first, first | host_bits, IntervalKind.NETWORK if host_bits else IntervalKind.ADDRESS
    )


def _prefix_length(address: IPAddress, text: str) -> int:
    longest = address.max_prefixlen
    # int() refuses more than 4300 digits, with a ValueError of its own.
    if len(text) <= _MAX_PREFIX_DIGITS and text.isascii() and text.isdigit() and int(text) <= longest:
        return int(text)
    raise PatternError(f'"{text}" is not a prefix length', f"for {address} it is a number from 0 to {longest}")


def _mask_length(address: IPAddress, text: str) -> int:
    mask = parse_address(text)
    if address.version != 4 or mask is None or mask.version != 4:
        meant = f"probably meant {address}/{text}" if text.isdigit() else "a mask is written as 255.255.255.0"
        raise PatternError(f'"{text}" is not a mask for {address}', meant)
    ones = int(mask)
    zeros = ones ^ 0xFFFFFFFF
    if zeros & zeros + 1 == 0:
        return 32 - zeros.bit_length()
    if ones & ones + 1 == 0:  # an inverted mask, as in a router's access list
        raise PatternError(f"{text} is an inverted mask", f"probably meant {address}/{32 - ones.bit_length()}")
    raise PatternError(f"the ones in the mask {text} are not contiguous", "a mask is written as 255.255.255.0")


def _range(first: str, last: str) -> Interval:
    low = _address(first)
    if last.isdigit() and low.version == 4:
        full = f"{str(low).rpartition('.')[0]}.{last}"
        meant = f"probably meant {first}-{full}" if parse_address(full) else ""
        raise PatternError(f'"{last}" is not an address', meant)
    high = _address(last)
    if low.version != high.version:
        raise PatternError("an IPv4 and an IPv6 address in one range", "both ends must be of one family")
    if int(low) > int(high):
        raise PatternError("the range runs backwards", f"probably meant {last}-{first}")
    return Interval(low.version, int(low), int(high), IntervalKind.ADDRESS if low == high else IntervalKind.RANGE)


def _address(text: str) -> IPAddress:
    address = parse_address(text)
    if address is None:
        raise PatternError(f'"{text}" is not an address', _address_hint(text))
    return address


def _address_hint(text: str) -> str:
    """Return a suggestion for an address with a port, leading zeros, or only the first numbers of a network."""
    for meant in (text.partition(":")[0], re.sub(r"\b0+(?=\d)", "", text)):
        if parse_address(meant):
            return f"probably meant {meant}"
    part = _PART_OF_IPV4.fullmatch(text)
    if part is None:
        return ""
    numbers = part[1].split(".")
    base = ".".join(numbers + ["0"] * (4 - len(numbers)))
    return f"probably meant {base}/{part[2] or 8 * len(numbers)}" if parse_address(base) else ""
