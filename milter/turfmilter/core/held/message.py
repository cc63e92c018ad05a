"""A held message as its store lists it, its flags and its id."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from turfmilter.core.escape import escape


class Flag(Enum):
    """What administrators, or their mail programs, have noted about a held message."""

    REVIEWED = "reviewed"
    RELEASED = "released"
    DELETED = "deleted"
    FLAGGED = "flagged"  # important: never removed, whatever its age


class State(Enum):
    """What has been done with a held message; of several flags, the one that must not be overlooked.

    The last two follow from the ledger, never from flags: see review/fate.py.
    """

    UNREVIEWED = "unreviewed"
    REVIEWED = "reviewed"
    RELEASED = "released"
    DELETED = "deleted"
    PARTLY_RELEASED = "partly released"  # delivered to some of the recipients
    UNKNOWN = "unknown"  # a release ended without an answer


def state_of(flags: Collection[Flag]) -> State:
    """Return the state of a message with these flags."""
    if not flags:
        return State.UNREVIEWED
    for flag, state in (
        (Flag.DELETED, State.DELETED),
        (Flag.RELEASED, State.RELEASED),
        (Flag.REVIEWED, State.REVIEWED),
    ):
        if flag in flags:
            return state
    return State.UNREVIEWED


class Message(NamedTuple):
    """A held message as it was when its store listed it; others may have changed its flags since.

    `id` can be any text if another program put the message there.  `quarantine` names where it is held, and `key` is
    the store's own name for it: both are for people, and only the store interprets `key`.
    """

    id: str
    flags: frozenset[Flag]
    quarantine: str
    key: str

    @property
    def state(self) -> State:
        """The state that its flags mean."""
        return state_of(self.flags)


class Status(NamedTuple):
    """`size` is the bytes that the message occupies in its store, `touched` when its flags last changed."""

    size: int
    touched: datetime


class Sighting(NamedTuple):
    """A message as retention observes it: its id, and whether it was reviewed."""

    id: str
    reviewed: bool


class Unopenable(Exception):
    """The quarantine cannot be opened; the text names it and says why."""


class NotAMessage(Exception):
    """What the store lists is not a message, or cannot be read; the text says what it is instead."""


class NewerFormat(Exception):
    """A newer version of the program has written to the quarantine: this one changes nothing in it."""


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no characters that are confused over the phone
_DIGITS = 6
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)  # six digits count the seconds of 34 years: ids sort by time until 2058
_ID = re.compile(f"[{_ALPHABET}]{{{_DIGITS}}}-[{_ALPHABET}]{{{_DIGITS}}}")

ID_BITS = 5 * _DIGITS  # of the number that is drawn for each id; a digit of base 32 has 5


def make_id(time: datetime, drawn: int) -> str:
    """Return an id such as "1m4x8q-7kz0ha": `time` in seconds, then a random number of ID_BITS bits; 13 characters."""
    seconds = int((time - _BEGIN).total_seconds())
    return f"{_base32(seconds % 2**ID_BITS)}-{_base32(drawn)}"


def is_id(text: str) -> bool:
    """Return whether `text` has the form of an id."""
    return _ID.fullmatch(text) is not None


def shown_id(id: str) -> str:
    r"""Return an id as people see it and type it: escaped, one word, and not an option of a command.

    A blank is shown as \x20, and a dash at the beginning as \x2d.
    """
    shown = escape(id).replace(" ", r"\x20")
    return rf"\x2d{shown[1:]}" if shown.startswith("-") else shown


def fold_id(shown: str) -> str:
    """Return an id, as it is shown or typed, in the form in which ids are compared: without case and "-"."""
    return shown.lower().replace("-", "")


def time_of(id: str) -> datetime:
    """Return when the message with this id was held, to the second; 1970 if `id` does not have the form of an id."""
    if not is_id(id):
        return datetime.fromtimestamp(0, UTC)
    seconds = 0
    for digit in id[:_DIGITS]:
        seconds = seconds * len(_ALPHABET) + _ALPHABET.index(digit)
    return _BEGIN + timedelta(seconds=seconds)


def in_every_zone(time: datetime) -> bool:
    """Return whether the calendar has `time` in every zone, and as a number of seconds that was rounded."""
    return MINYEAR < time.year < MAXYEAR


def _base32(number: int) -> str:
    digits = []
    for _ in range(_DIGITS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
