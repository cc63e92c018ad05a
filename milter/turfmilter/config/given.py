"""One value as given in the configuration, and the problems found in all values so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from turfmilter.config.hints import looks_like_a_path, source_of
from turfmilter.config.received import Postfix
from turfmilter.config.textfile import Texts
from turfmilter.core.escape import escape, shortened
from turfmilter.core.table.entry import Problem, together

_MAX_SENTENCE_CHARACTERS = 1000  # characters of one sentence


class Wrong(Exception):
    """One value is wrong; the text tells what is wrong, and what was probably meant."""


@dataclass
class Notes:
    """The problems found while one configuration is read, in the order of the file, and what reading it requires.

    Paths are relative to `folder`; `texts` returns the contents of files.  `postfix` is queried for main.cf; without
    it, the domains in main.cf are unknown.  Entries that have expired on `today` are reported; without it, none are.
    `broken` are the keys whose values cannot be used, `written` all keys in the file.  Unless `tables`, the values of
    keys that hold tables are not read.
    """

    folder: Path
    postfix: Postfix | None = None
    texts: Texts = field(default_factory=Texts)
    today: date | None = None
    tables: bool = True
    problems: list[object] = field(default_factory=list)
    warnings: list[object] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def unusable(self, key: str) -> bool:
        """Return True if there is a problem with the value of `key`, one of its items, or a section around it."""
        return any(
            bad == key or bad.startswith(f"{key}[") or key.startswith((f"{bad}.", f"{bad}[")) for bad in self.broken
        )

    def problem(self, key: str, sentence: object) -> None:
        """Report that the value of `key` cannot be used."""
        self.problems.append(f"{key}: {sentence}")
        self.broken.add(key)

    def warning(self, sentence: object) -> None:
        """Report something with which the configuration can still be used."""
        self.warnings.append(sentence)

    def entries(self, key: str, found: Iterable[Problem]) -> None:
        """Report the problems found in the entries that `key` gives; each of them names its own place."""
        for one in found:
            if one.warning:
                self.warning(one)
            else:
                self.problems.append(one)
                self.broken.add(key)


@dataclass(frozen=True, slots=True)
class Given:
    """A TOML value, its key path, and where problems with it are reported."""

    value: object
    key: str
    notes: Notes

    @property
    def text(self) -> str:
        """The value, which must be text.  Raises Wrong if it is not."""
        if not isinstance(self.value, str):
            raise Wrong(f"{described(self.value)} is not text; write text in quotes")
        return self.value

    def items(self) -> Iterator[Given]:
        """Yield the values of a list.  Raises Wrong if it is not a list."""
        if isinstance(self.value, str):
            raise Wrong(f"{quoted(self.value)} is not a list; write {_as_list(self.value)}")
        if not isinstance(self.value, list):
            raise Wrong(f'{described(self.value)} is not a list; write ["...", "..."]')
        for number, value in enumerate(self.value):
            yield Given(value, f"{self.key}[{number}]", self.notes)


def messages(found: Sequence[object]) -> tuple[str, ...]:
    """Return `found` as messages, without duplicates; many problems of one kind are one message."""
    return tuple(dict.fromkeys(map(in_short, together(list(dict.fromkeys(found))))))


# An item of a text that was meant as a list: blanks and commas separate items, except inside quotation marks.  The
# notes of an entry belong to it.
_ITEM = re.compile(r'(?:[^\s,"]|"(?:[^"\\]|\\.)*"?)+(?:\s+(?:expires|why|by)=(?:[^\s,"]|"(?:[^"\\]|\\.)*"?)*)*')
_MAX_ITEMS = 5  # items of a list in a message


def _as_list(text: str) -> str:
    """Return the list that was probably meant by `text`, in TOML."""
    items = _ITEM.findall(text) or [text]
    more = [", ..."] if len(items) > _MAX_ITEMS else []
    return f"[{', '.join(map(_as_item, items[:_MAX_ITEMS]))}{''.join(more)}]"


def _as_item(text: str) -> str:
    if looks_like_a_path(text):
        return quoted(source_of(text))
    return f"'{text}'" if '"' in text and "'" not in text else quoted(text)


def in_short(said: object) -> str:
    """Return a message on one line and shortened: keys, paths and entries may contain anything, at any length.

    Control characters are escaped, because a terminal obeys them.
    """
    return escape(shortened(str(said), _MAX_SENTENCE_CHARACTERS))


def probably(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: which of the `known` words was probably meant; "" if none is similar."""
    near = nearest(word, known)
    return f"; {quoted(near)} was probably meant" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the `known` word that is most similar to `word`; None if none is similar."""
    near = get_close_matches(fold(word), list(known), n=1)
    return near[0] if near else None


def fold(word: str) -> str:
    """Return `word` in the spelling of our keys: in lower case, with "_" for "-"."""
    return word.casefold().replace("-", "_")


_MAX_VALUE_CHARACTERS = 80


def written(value: object) -> str:
    """Return `value` (text, a number, a date, a boolean or a list of these) in TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value)


def described(value: object) -> str:
    """Return a short description of any value, for a message."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a section"
    # TOML numbers have at most 64 bits, and Python refuses to print very long ones.
    return "a huge number" if isinstance(value, int) and value.bit_length() > 64 else written(value)


def quoted(text: str) -> str:
    """Return `text` in quotes, for a message; a long one is truncated."""
    return f'"{text}"' if len(text) <= _MAX_VALUE_CHARACTERS else f'"{text[:_MAX_VALUE_CHARACTERS]}..."'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
