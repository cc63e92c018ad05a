"""One entry of a table: what it matches, where it stands, and the notes behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeGuard

from turfmilter.core.escape import shortened
from turfmilter.core.pattern import Pattern

_LONGEST_ENTRY = 320  # characters that a sentence shows of it; as many can an address have (RFC 5321 §4.5.3.1)
_LONGEST_REASON = 400


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file ("turf.table", 3) or a key of the configuration ("turf.tables[2]", 0)."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Entry:
    """A pattern with its sign and notes.  `text` is the entry as written, "!" included, notes left out."""

    text: str
    pattern: Pattern
    where: Where
    exception: bool = False
    expires: date | None = None  # the last day on which it matches, UTC
    why: str = ""
    by: str = ""

    def stands(self, today: date) -> bool:
        """False once the last day is over."""
        return self.expires is None or today <= self.expires

    def __str__(self) -> str:
        return f"{self.text} {self.where}"


def listed(entry: Entry | None) -> TypeGuard[Entry]:
    """True when the entry that decides is there and no exception."""
    return entry is not None and not entry.exception


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one entry, and what was probably meant.  A warning leaves the table usable."""

    where: Where
    entry: str
    wrong: str
    meant: str = ""
    warning: bool = False

    def __str__(self) -> str:
        meant = f"; {shortened(self.meant, _LONGEST_REASON)}" if self.meant else ""
        entry, wrong = shortened(self.entry, _LONGEST_ENTRY), shortened(self.wrong, _LONGEST_REASON)
        return f'{self.where}: "{entry}": {wrong}{meant}'
