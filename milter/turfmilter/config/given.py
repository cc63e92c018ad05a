"""One value as the configuration gives it, and what was said of all values so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from turfmilter.config.received import Postfix
from turfmilter.config.textfile import Texts
from turfmilter.core.escape import escape, shortened
from turfmilter.core.table.entry import Problem

_LONGEST_SENTENCE = 1000  # characters of one sentence


class Wrong(Exception):
    """One value is wrong; the text says what, and what was probably meant."""


@dataclass
class Notes:
    """What reading one configuration has brought up, in the order of the file.

    Sentences are escaped here, because entries come from anywhere and a terminal obeys what it is shown.
    `folder` is where relative paths begin, `texts` gives what files hold.  `postfix` is asked for what main.cf says;
    without it, nothing is known of that.  Entries that have expired `today` are reported; without it, none are.
    `broken` are the keys whose values could not be used, `written` those that the file gives at all.
    """

    folder: Path
    postfix: Postfix | None = None
    texts: Texts = field(default_factory=Texts)
    today: date | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def unusable(self, key: str) -> bool:
        """True when something is wrong with the value of `key`, with one of its items or with a section around it."""
        return any(
            bad == key or bad.startswith(f"{key}[") or key.startswith((f"{bad}.", f"{bad}[")) for bad in self.broken
        )

    def problem(self, key: str, sentence: object) -> None:
        """`key` cannot be used."""
        self.problems.append(in_short(f"{key}: {sentence}"))
        self.broken.add(key)

    def warning(self, sentence: object) -> None:
        """Something to tell the administrator, which stops nothing."""
        self.warnings.append(in_short(sentence))

    def entries(self, key: str, found: Iterable[Problem]) -> None:
        """What was found in the entries that `key` gives; they say themselves where they stand."""
        for one in found:
            if one.warning:
                self.warning(one)
            else:
                self.problems.append(in_short(one))
                self.broken.add(key)


@dataclass(frozen=True, slots=True)
class Given:
    """A TOML value, the key path under which it stands, and where to say what is wrong with it."""

    value: object
    key: str
    notes: Notes

    @property
    def text(self) -> str:
        """The value, which must be text.  Raises Wrong."""
        if not isinstance(self.value, str):
            raise Wrong(f"{described(self.value)} is not text; text stands in quotes")
        return self.value

    def items(self) -> Iterator[Given]:
        """The values of a list.  Raises Wrong when it is none."""
        if isinstance(self.value, str):
            raise Wrong(f"{quoted(self.value)} is not a list; write [{quoted(self.value)}]")
        if not isinstance(self.value, list):
            raise Wrong(f'{described(self.value)} is not a list; write ["...", "..."]')
        for number, value in enumerate(self.value):
            yield Given(value, f"{self.key}[{number}]", self.notes)


def in_short(said: object) -> str:
    """What is said, on one line and short: keys, paths and entries may hold anything and be of any length."""
    return escape(shortened(str(said), _LONGEST_SENTENCE))


def probably(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: which of the `known` words was probably meant, "" when none is near."""
    near = nearest(word, known)
    return f"; {quoted(near)} was probably meant" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The `known` word that looks most like `word`, if one does."""
    near = get_close_matches(fold(word), list(known), n=1)
    return near[0] if near else None


def fold(word: str) -> str:
    """`word` as our keys are spelled."""
    return word.casefold().replace("-", "_")


_LONGEST_VALUE = 80


def written(value: object) -> str:
    """`value` (text, a number, a date, a boolean or a list of them) in TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value)


def described(value: object) -> str:
    """`value` in a sentence: short whatever it is."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a section"
    # Beyond 64 bits it is no TOML number, and Python refuses to print very long ones.
    return "a huge number" if isinstance(value, int) and value.bit_length() > 64 else written(value)


def quoted(text: str) -> str:
    """`text` in quotes for a sentence, cut when it is long."""
    return f'"{text}"' if len(text) <= _LONGEST_VALUE else f'"{text[:_LONGEST_VALUE]}..."'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
