"""One entry of a table, and how it is read from a line of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from itertools import takewhile
from typing import TypeGuard

from turfmilter.core.escape import shortened
from turfmilter.core.table.pattern import Pattern, PatternError, doubt

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


Parse = Callable[[str], Pattern]

_NOTES = ("expires", "why", "by")
_ALL_NOTES = "expires=, why= and by="
# Blanks inside quotes separate nothing; a quote that is not closed reaches to the end.
_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.?)*(?:"|\Z))+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def parse_line(line: str, where: Where, parse: Parse) -> tuple[Entry | None, list[Problem]]:
    """The entry in one line of a file, None when there is none, and what is wrong or doubtful with the line.

    The table is usable unless a problem is more than a warning.
    """
    text = line.removeprefix("\ufeff").strip()
    if not text:
        return None, []
    if text[0] == "#":
        return None, _doubt_comment(text, where, parse)
    return _read(_before_comment(text), where, parse)


def parse_entry(text: str, where: Where, parse: Parse) -> tuple[Entry | None, list[Problem]]:
    """One entry that stands in the configuration itself; None when one of the problems is an error."""
    return _read(_WORD.findall(text), where, parse)


def _before_comment(text: str) -> list[str]:
    if len(text.split(None, 1)) == 1:  # the short way: most lines hold one word
        return [text]
    return list(takewhile(lambda word: not word.startswith("#"), _WORD.findall(text)))


def _read(words: Sequence[str], where: Where, parse: Parse) -> tuple[Entry | None, list[Problem]]:
    """The entry that is the first of the words, with the others as its notes."""
    text = words[0] if words else ""
    body = text.removeprefix("!")
    if not body:
        wrong = 'nothing stands after the "!"' if text else "the entry is empty"
        return None, [Problem(where, text, wrong, f"probably meant !{words[1]}" if len(words) > 1 else "")]
    try:
        pattern = parse(body)
        notes = _read_notes(words[1:])
        expires = _day(notes["expires"]) if "expires" in notes else None
    except PatternError as error:
        return None, [Problem(where, text, error.wrong, error.meant)]
    odd = doubt(body, pattern)
    warnings = [Problem(where, text, *odd, warning=True)] if odd else []
    return Entry(text, pattern, where, body != text, expires, notes.get("why", ""), notes.get("by", "")), warnings


def _read_notes(words: Iterable[str]) -> dict[str, str]:
    notes: dict[str, str] = {}
    for word in words:
        if word.startswith("#"):  # in a file it is cut off before
            raise PatternError("a comment inside an entry", "it stands behind the quotation marks")
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise PatternError(
                f"{word} stands behind the entry", f'only {_ALL_NOTES} or a comment ("# ...") may follow'
            )
        if name not in _NOTES:
            near = get_close_matches(name.casefold(), _NOTES, n=1)
            raise PatternError(
                f'"{name}=" is not a note', f"probably meant {near[0]}=" if near else f"{_ALL_NOTES} are"
            )
        if name in notes:
            raise PatternError(f'"{name}=" stands twice', "one of them can go")
        notes[name] = _unquoted(value, name)
    return notes


def _unquoted(value: str, name: str) -> str:
    if '"' in _QUOTED.sub("", value):
        raise PatternError("a quotation mark is not closed", f'it is written as {name}="several words"')
    return _QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), value)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PatternError(f'"{text}" is not a day', "a day is written as 2027-01-31") from None


def _doubt_comment(text: str, where: Where, parse: Parse) -> list[Problem]:
    """A warning for Exchange's exact domain ("#@isp.example"), which is a comment here."""
    mark, *notes = _WORD.findall(text)
    entry = mark[1:]
    if not entry.startswith("@") or not re.search(r"[.\[]", entry) or not all("=" in note for note in notes):
        return []
    try:
        parse(entry)
    except PatternError:
        return []
    return [Problem(where, mark, "this is a comment", f"Exchange's exact domain is ={entry}", warning=True)]
