"""Names in the quarantine: the id of a held message, and the files that it stands in."""

from __future__ import annotations

import os
import re
import secrets
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing to confuse over the phone
_DIGITS = 6
_RANGE = len(_ALPHABET) ** _DIGITS
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)  # six digits count the seconds of 34 years: ids sort by time until 2058
_ID = re.compile(f"[{_ALPHABET}]{{{_DIGITS}}}-[{_ALPHABET}]{{{_DIGITS}}}")


def new_id(time: datetime) -> str:
    """A fresh id, e.g. "1m4x8q-7kz0ha": `time` in seconds, then 30 random bits.  Always 13 characters."""
    seconds = int((time - _BEGIN).total_seconds())
    return f"{_base32(seconds % _RANGE)}-{_base32(secrets.randbelow(_RANGE))}"


def is_id(text: str) -> bool:
    """True when `text` has the shape of an id."""
    return _ID.fullmatch(text) is not None


def time_of(id: str) -> datetime:
    """When the message with this id was held, to the second; 1970 when `id` is not an id."""
    if not is_id(id):
        return datetime.fromtimestamp(0, UTC)
    seconds = 0
    for digit in id[:_DIGITS]:
        seconds = seconds * len(_ALPHABET) + _ALPHABET.index(digit)
    return _BEGIN + timedelta(seconds=seconds)


def host_name() -> str:
    """This host's name as a part of a file name: several hosts may share one quarantine."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", os.uname().nodename)


def _base32(number: int) -> str:
    digits = []
    for _ in range(_DIGITS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
