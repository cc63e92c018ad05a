"""How held messages look on a terminal: from one message and the width of the screen to lines of text.

Everything here is pure.  The widths of columns depend on the screen alone, never on what is shown in them, so that one
long address cannot narrow the others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from turfmilter.core.escape import escape
from turfmilter.core.held.message import shown_id

_WIDE = 100  # columns from which on a message has one line
_NARROW = 60  # columns below which each item has a line of its own: less would be left for the sender than for its date
_ID, _HELD, _SIZE, _FLAGS = 13, 12, 5, 2  # columns
_GAP = 2
_INDENT = " " * (_ID + 1)
_MARKS_PER_COLUMN = 4  # characters that may share a column: a letter and its marks; more would spill over other lines
_HALF_YEAR = timedelta(seconds=31_556_952 // 2)  # as in ls: an older date is shown with its year
_FLAG = {"unreviewed": "", "reviewed": "r", "partly released": "p", "released": "R", "unknown": "?", "deleted": "D"}
_DOUBT = "!"


class Row(NamedTuple):
    """What is shown of one held message; the texts are as received, and escaped here.

    `size` is in bytes.  `sender` is None if it is not known, "" if it is the null sender.  `doubt` is True if the
    message may not be what was held.
    """

    id: str
    held: datetime
    size: int
    state: str
    sender: str | None
    authors: tuple[str, ...]
    recipients: tuple[str, ...]
    subject: str
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """Where rows are shown: its width in columns, what it can display, and the current time, in any zone.

    Times are shown in the zone of this host.
    """

    columns: int  # 20 or more
    encoding: str
    now: datetime

    def text(self, text: str) -> str:
        """Return `text` escaped, also where this screen cannot display it."""
        return self.displayable(escape(text))

    def displayable(self, escaped: str) -> str:
        """Return a text that is `escaped` already, with all characters escaped that this screen cannot display."""
        return escaped.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def fit(self, text: str, columns: int) -> str:
        """Return `text`, which must be escaped, cut to `columns` (1 or more); an ellipsis shows that it was cut."""
        return cut(text, columns, self.ellipsis)

    @property
    def ellipsis(self) -> str:
        """The character that shows where a text was cut."""
        return ellipsis_in(self.encoding)

    def moment(self, time: datetime) -> str:
        """Return `time` as ls shows it, in 12 columns: "Nov 21 22:24", or with the year if it is far from now."""
        local = time.astimezone()
        near = timedelta(0) <= self.now - time < _HALF_YEAR
        return f"{local:%b} {local.day:2} {local:%H:%M}" if near else f"{local:%b} {local.day:2}  {local:%Y}"

    @property
    def zone(self) -> str:
        """The name of the zone in which times are shown: "CET", or "+03"."""
        return self.now.astimezone().tzname() or "local"


def lines(row: Row, screen: Screen) -> list[str]:
    """Return one message as lines for `screen`; the first begins with its id, all others are indented."""
    if screen.columns < _NARROW:
        return [screen.fit(line, screen.columns) for line in _items(row, screen)]
    left = _left(row, screen)
    if screen.columns < _WIDE:
        sender = screen.columns - len(left)
        recipient, subject = _below(screen)
        below = _joined(
            _pad(_recipients(row, screen, recipient), recipient), screen.fit(screen.text(row.subject), subject)
        )
        return [left + _sender(row, screen, sender), _INDENT + below]
    sender, recipient, subject = _beside(screen)
    return [
        left
        + _joined(
            _pad(_sender(row, screen, sender), sender),
            _pad(_recipients(row, screen, recipient), recipient),
            screen.fit(screen.text(row.subject), subject),
        )
    ]


def heading(screen: Screen) -> list[str]:
    """Return the names of the columns, with the zone of the times."""
    if screen.columns < _NARROW:
        return [f"ID  ({screen.zone})"]
    left = f"{'ID':{_ID}} {f'HELD ({screen.zone})':{_HELD}} {'SIZE':>{_SIZE}} {'':{_FLAGS}} "
    if screen.columns < _WIDE:
        recipient, _ = _below(screen)
        return [f"{left}SENDER", _INDENT + _joined(f"{'RECIPIENT':{recipient}}", "SUBJECT")]
    sender, recipient, _ = _beside(screen)
    return [left + _joined(f"{'SENDER':{sender}}", f"{'RECIPIENT':{recipient}}", "SUBJECT")]


def legend(rows: Iterable[Row]) -> str:
    """Return what the flags of `rows` mean; "" if they have none."""
    shown = list(rows)
    states = {row.state for row in shown}
    meanings = [f"{flag} {state}" for state, flag in _FLAG.items() if flag and state in states]
    if any(row.doubt for row in shown):
        meanings.append(f"{_DOUBT} not what was held; to see why: turfctl show ID")
    return ", ".join(meanings)


def full_time(time: datetime) -> str:
    """Return `time` with its year and zone, in the zone of this host: "2026-11-21 22:24 CET"."""
    return f"{time.astimezone():%Y-%m-%d %H:%M %Z}"


def local_time(text: str) -> str:
    """Return a time in ISO 8601 as `full_time` does.  Raises ValueError and OverflowError."""
    return full_time(datetime.fromisoformat(text))


def counted(number: int) -> str:
    """Return the number of messages in words."""
    return "1 message" if number == 1 else f"{number} messages"


def human_size(size: int) -> str:
    """Return a number of bytes as `ls -h` does, rounded up: "999", "5.0K", "12M"; at most 5 characters."""
    unit = next(unit for unit in _UNITS if size <= 1023 * _UNITS[unit])
    if not unit:
        return str(size)
    tenths = -(-size * 10 // _UNITS[unit])  # rounded up: minus the floor of the negative
    return f"{tenths / 10:.1f}{unit}" if tenths < 100 else f"{-(-size // _UNITS[unit])}{unit}"


_UNITS: Mapping[str, int] = {unit: 1 << 10 * power for power, unit in enumerate(("", *"KMGTPE"))}


def cut(text: str, columns: int, ellipsis: str) -> str:
    """Return `text` cut to `columns` (1 or more), the last of which then shows `ellipsis`."""
    if width(text) <= columns and len(text) <= columns * _MARKS_PER_COLUMN:
        return text
    return _beginning(text, columns - 1) + ellipsis


def ellipsis_in(encoding: str) -> str:
    """Return the character that shows where a text was cut; one that `encoding` has."""
    try:
        "…".encode(encoding)
    except UnicodeEncodeError:
        return "~"
    return "…"


def width(text: str) -> int:
    """Return how many columns of a terminal `text` occupies."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    # Marks, and the vowels and finals of Hangul, join the letter before them; Thai vowels have no combining class.
    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _beginning(text: str, columns: int) -> str:
    """Return as much of `text` as fits into `columns`."""
    used = 0
    for at, char in enumerate(text[: columns * _MARKS_PER_COLUMN]):
        used += _columns(char)
        if used > columns:
            return text[:at]
    return text[: columns * _MARKS_PER_COLUMN]


def _left(row: Row, screen: Screen) -> str:
    id = _pad(screen.fit(screen.displayable(shown_id(row.id)), _ID), _ID)
    return f"{id} {screen.moment(row.held):{_HELD}} {human_size(row.size):>{_SIZE}} {_flags(row):{_FLAGS}} "


def _below(screen: Screen) -> tuple[int, int]:
    """Return the columns of recipient and subject on the second line."""
    room = screen.columns - len(_INDENT) - _GAP
    return room * 2 // 5, room - room * 2 // 5


def _beside(screen: Screen) -> tuple[int, int, int]:
    """Return the columns of sender, recipient and subject on one line."""
    room = screen.columns - (_ID + _HELD + _SIZE + _FLAGS + 4) - 2 * _GAP
    sender, recipient = min(room * 3 // 8, 44), min(room * 2 // 7, 32)
    return sender, recipient, room - sender - recipient


def _items(row: Row, screen: Screen) -> Iterator[str]:
    room = screen.columns - _GAP
    indent = " " * _GAP
    yield f"{screen.displayable(shown_id(row.id))} {_flags(row)}".rstrip()
    yield f"{indent}{screen.moment(row.held)} {human_size(row.size):>{_SIZE}}"
    yield indent + _sender(row, screen, room)
    yield indent + _recipients(row, screen, room)
    if row.subject:
        yield indent + screen.text(row.subject)


def _flags(row: Row) -> str:
    return _FLAG.get(row.state, "?") + _DOUBT * row.doubt


def _sender(row: Row, screen: Screen, columns: int) -> str:
    """Return the sender, with the author in parentheses where it is another."""
    sender = "?" if row.sender is None else row.sender.strip("<>") or "<>"
    if not row.authors or row.authors == (sender.casefold(),):
        return _address(sender, screen, columns)
    more = f" +{len(row.authors) - 1}" if len(row.authors) > 1 else ""
    author = row.authors[0]
    room = columns - len(more) - len(" ()")
    of_author = min(width(screen.text(author)), max(room // 2, room - width(screen.text(sender))))
    return f"{_address(sender, screen, room - of_author)} ({_address(author, screen, of_author)}{more})"


def _recipients(row: Row, screen: Screen, columns: int) -> str:
    if not row.recipients:
        return "?"
    more = f" +{len(row.recipients) - 1}" if len(row.recipients) > 1 else ""
    return _address(row.recipients[0].strip("<>"), screen, columns - len(more)) + more


def _address(text: str, screen: Screen, columns: int) -> str:
    """Return an address in `columns`; its domain is kept if possible, because that tells whose it is."""
    shown = screen.text(text)
    local, at, domain = shown.rpartition("@")
    room = columns - width(at + domain)
    if width(shown) <= columns or room < columns // 4:
        return screen.fit(shown, columns)
    return screen.fit(local, room) + at + domain


def _pad(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _joined(*columns: str) -> str:
    return (" " * _GAP).join(columns).rstrip()
