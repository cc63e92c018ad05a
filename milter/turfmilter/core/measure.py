"""Parses sizes and spans of time, for the configuration and for command-line options alike."""

from __future__ import annotations

import re
from datetime import timedelta

# As in GNU coreutils: powers of 1024, and powers of 1000 with only a "B".
_BYTES = {
    **dict.fromkeys(("k", "kib"), 1 << 10),
    **dict.fromkeys(("m", "mib"), 1 << 20),
    **dict.fromkeys(("g", "gib"), 1 << 30),
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
}
_SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_SIZE = re.compile(r"(?P<number>[0-9]{1,19})(?: ?(?P<unit>[A-Za-z]+))?")
_SPAN = re.compile(r"(?P<number>[0-9]{1,6}) ?(?P<unit>[mhdw])")
MAX_NUMBER_BITS = 63  # of a number in the configuration: TOML and SQLite have no larger ones


class MeasureError(ValueError):
    """The text is not a size or a span of time; the message tells what is wrong, and what to write."""


def parse_size(text: str) -> int:
    """Return a size in bytes, written as a number alone, or with K, M, G, KiB, MiB, GiB, KB, MB or GB in any case.

    "10M" and "10 MiB" are 10 * 1024 * 1024 bytes, "10 MB" is 10,000,000.  Raises MeasureError.
    """
    found = _SIZE.fullmatch(text)
    if found is None or (found["unit"] and found["unit"].lower() not in _BYTES):
        raise MeasureError('is not a size; write bytes as a number, or text such as "10 MiB"')
    size = int(found["number"]) * (_BYTES[found["unit"].lower()] if found["unit"] else 1)
    if size.bit_length() > MAX_NUMBER_BITS:
        raise MeasureError("is too large for a size in bytes")
    return size


def parse_span(text: str) -> timedelta:
    """Return a span of time, written as a whole number with m (minutes), h (hours), d (days) or w (weeks).

    Raises MeasureError.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise MeasureError('is not a span of time; write a number with m, h, d or w, such as "30d"')
    return int(found["number"]) * _SPANS[found["unit"]]
