"""One entry of a table, and how it is parsed from a line of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from itertools import takewhile
from typing import TypeGuard

from turfmilter.core.escape import shortened
from turfmilter.core.table.foreign import meant_by_note, meant_by_word
from turfmilter.core.table.pattern import Pattern, PatternError, doubt

# How much of an entry and of a reason a message shows, in characters.  An address has at most 64 + 1 + 255
# (RFC 5321 §4.5.3.1).
_SHOWN_OF_ENTRY = 320
_SHOWN_OF_REASON = 400
_FEW = 5  # problems of one kind that are reported one by one
_NAMED = 10  # places of further entries that a message names
_POSITION = re.compile(r"\[\d+\]\Z")  # of an item in a list of the configuration
# What may differ between messages of one kind: quoted texts, places, and words that are not only letters.
_OF_ENTRY = re.compile(r'"[^"]*"|\([^)]*\)|\S*[^\sA-Za-z,;:]\S*')


@dataclass(frozen=True, slots=True)
class Where:
    """A line of a file ("turf.table", 3), or a key of the configuration ("turf.tables[2]", 0)."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Entry:
    """A pattern with its sign and notes.  `text` is the entry as written, with its "!" and without its notes."""

    text: str
    pattern: Pattern
    where: Where
    exception: bool = False
    expires: date | None = None  # the last day on which it is valid, in UTC
    why: str = ""
    by: str = ""

    def valid_on(self, day: date) -> bool:
        """Return True unless the entry has expired before `day`."""
        return self.expires is None or day <= self.expires

    def __str__(self) -> str:
        return f"{self.text} {self.where}"


def listed(entry: Entry | None) -> TypeGuard[Entry]:
    """Return True if there is an entry that decides and it is not an exception."""
    return entry is not None and not entry.exception


Kind = tuple[str, bool, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one entry, and what was probably meant.  With a warning, the table is still usable.

    `others` are the places of further entries that have the same problem.
    """

    where: Where
    entry: str
    wrong: str
    meant: str = ""
    warning: bool = False
    others: tuple[Where, ...] = ()

    def __str__(self) -> str:
        meant = f"; {shortened(self.meant, _SHOWN_OF_REASON)}" if self.meant else ""
        entry, wrong = shortened(self.entry, _SHOWN_OF_ENTRY), shortened(self.wrong, _SHOWN_OF_REASON)
        said = wrong if wrong.startswith(f'"{self.entry}" ') else f'"{entry}": {wrong}'  # not the same text twice
        return f"{self.where}: {said}{meant}{self._more()}"

    def _more(self) -> str:
        if not self.others:
            return ""
        named = ", ".join(str(where.line or where.source) for where in self.others[:_NAMED])
        lines = " lines" if self.where.line else ""
        return f" (and {len(self.others)} more{lines}: {named}{', ...' if len(self.others) > _NAMED else ''})"

    @property
    def kind(self) -> Kind:
        """What problems of one kind have in common: the file or list, and the words that do not depend on the entry."""
        source = self.where.source if self.where.line else _POSITION.sub("", self.where.source)
        # Two words of the advice tell one from another; later ones may come from the entry.
        advice = tuple(_OF_ENTRY.sub("", self.meant).split()[:2])
        return source, self.warning, _OF_ENTRY.sub("", self.wrong), advice


def together(found: Sequence[object]) -> list[object]:
    """Return `found` with one Problem in place of those of one kind, if there are more than a few.

    A table in another format has the same error on every line.  Anything but a Problem is kept as it is.
    """
    kinds: dict[Kind, list[Problem]] = {}
    for one in found:
        if isinstance(one, Problem):
            kinds.setdefault(one.kind, []).append(one)
    said: list[object] = []
    for one in found:
        alike = kinds[one.kind] if isinstance(one, Problem) else []
        if len(alike) <= _FEW:
            said.append(one)
        elif one is alike[0]:
            said.append(replace(alike[0], others=tuple(other.where for other in alike[1:])))
    return said


Parse = Callable[[str], Pattern]

_NOTES = ("expires", "why", "by")
_ALL_NOTES = "expires=, why= and by="
# Blanks inside quotes do not separate words; a quote that is not closed extends to the end of the line.
_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.?)*(?:"|\Z))+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def parse_line(line: str, where: Where, parse: Parse) -> tuple[Entry | None, list[Problem]]:
    """Parse one line of a file; return its entry, None if it has no valid one, and its errors and warnings.

    The table is usable if all problems are warnings.
    """
    text = line.removeprefix("\ufeff").strip()
    if not text:
        return None, []
    if text[0] == "#":
        return None, _doubt_comment(text, where, parse)
    return _read(_before_comment(text), where, parse)


def parse_entry(text: str, where: Where, parse: Parse) -> tuple[Entry | None, list[Problem]]:
    """Parse one entry in the configuration itself; return None for it if one of the problems is an error."""
    return _read(_WORD.findall(text), where, parse)


def _before_comment(text: str) -> list[str]:
    if len(text.split(None, 1)) == 1:  # the fast path: most lines have one word
        return [text]
    return list(takewhile(lambda word: not word.startswith("#"), _WORD.findall(text)))


def _read(words: Sequence[str], where: Where, parse: Parse) -> tuple[Entry | None, list[Problem]]:
    """Parse the first of the words as the entry, and the others as its notes."""
    text = words[0] if words else ""
    body = text.removeprefix("!")
    if not body:
        wrong = 'nothing follows the "!"' if text else "the entry is empty"
        return None, [Problem(where, text, wrong, f"probably meant !{words[1]}" if len(words) > 1 else "")]
    meant = _in_another_format(words)
    if meant:
        return None, [Problem(where, text, *meant)]
    try:
        pattern = parse(body)
        notes = _read_notes(words[1:])
        expires = _day(notes["expires"]) if "expires" in notes else None
    except PatternError as error:
        return None, [Problem(where, text, error.wrong, error.meant)]
    odd = doubt(body, pattern)
    warnings = [Problem(where, text, *odd, warning=True)] if odd else []
    return Entry(text, pattern, where, body != text, expires, notes.get("why", ""), notes.get("by", "")), warnings


def _in_another_format(words: Sequence[str]) -> tuple[str, str] | None:
    """Return what is wrong with a line of a mail header (`Joe <joe@isp.example>`) or of a list in YAML or Markdown."""
    if len(words) < 2:
        return None
    last = words[-1]
    if last.startswith("<") and last.endswith(">") and "@" in last:
        return "a name in front of an address", f"probably meant {last[1:-1]}"
    return ("a dash in front of the entry", f"probably meant {words[1]}") if words[0] == "-" else None


def _read_notes(words: Iterable[str]) -> dict[str, str]:
    notes: dict[str, str] = {}
    for word in words:
        if word.startswith("#"):  # only in the configuration: comments in files were removed by _before_comment
            raise PatternError("a comment inside an entry", "it belongs after the closing quotation mark")
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            meant = meant_by_word(word) or f'only {_ALL_NOTES} or a comment ("# ...") may follow'
            raise PatternError(f'"{word}" follows the entry', meant)
        if name not in _NOTES:
            near = meant_by_note(name) or next(iter(get_close_matches(name.casefold(), _NOTES, n=1)), "")
            raise PatternError(f'"{name}=" is not a note', f"probably meant {near}=" if near else f"{_ALL_NOTES} are")
        if name in notes:
            raise PatternError(f'"{name}=" appears twice', "remove one of them")
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
    """Warn about Exchange's exact domain ("#@isp.example"), which is a comment here."""
    mark, *notes = _WORD.findall(text)
    entry = mark[1:]
    if not entry.startswith("@") or not re.search(r"[.\[]", entry) or not all("=" in note for note in notes):
        return []
    try:
        parse(entry)
    except PatternError:
        return []
    return [Problem(where, mark, "this is a comment", f"Exchange's exact domain is ={entry}", warning=True)]
