"""One screen of text on a terminal of any size: cut and folded by display width, drawn from the top."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

import click

from turfmilter.cli.keyboard import Ended
from turfmilter.cli.output import width

_USUAL = os.terminal_size((80, 24))  # for a terminal that does not tell its size, such as a serial console
_NARROWEST = 8  # columns; one that says it is narrower gets broken lines instead of none
_CLEAR = "\x1b[H\x1b[2J"  # ECMA-48: CUP and ED, which every terminal knows except those in _PLAIN
_PLAIN = ("", "dumb", "unknown")  # values of TERM

Fact = tuple[str, str]  # a label, and escaped text


class Screen:
    """The terminal that standard output is."""

    def __init__(self) -> None:
        self._clear = "" if os.environ.get("TERM", "") in _PLAIN else _CLEAR

    @property
    def size(self) -> os.terminal_size:
        """Its columns that can be used, and its rows; COLUMNS and LINES are not asked, as they survive a resize."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 0, 0
        # The last column stays empty: some terminals begin a new line there, and some do not.
        return os.terminal_size((max((columns or _USUAL.columns) - 1, _NARROWEST), rows or _USUAL.lines))

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what is shown by `lines`; the cursor stays at the end of the last one.  Raises Ended."""
        end = "" if self._clear else "\n"
        try:
            click.echo(self._clear + "\n".join(lines) + end, nl=False)
        except OSError:  # EIO: the terminal is closed
            raise Ended(signal.SIGHUP) from None

    def leave(self, text: str) -> None:
        """Print `text` below what is shown; nothing happens if the terminal is closed."""
        try:
            click.echo(f"\n{text}" if self._clear else text)
        except OSError:
            # Python flushes the rest at its end, and would exit with 120 if that failed.
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def page(
    heading: str, facts: Sequence[Fact], text: Iterable[str], notices: Iterable[str], keys: str, size: os.terminal_size
) -> list[str]:
    """Return as many lines as `size` has: `heading`, `facts`, the beginning of `text`, and at the bottom the rest.

    Everything must be escaped, and `keys` must fit.  `text` is read only as far as it is shown.
    """
    columns, rows = size
    said = _limited([line for notice in notices for line in folded(notice, columns)], max(rows // 3, 1))
    above = [cut(heading, columns), *(cut(f"{label:<8} {value}", columns) for label, value in facts)]
    above = above[: max(rows - len(said) - 1, 0)]
    room = rows - len(above) - len(said) - 1
    shown = ["", *_beginning(text, columns, room - 1)] if room > 1 else []
    blank = [""] * (room - len(shown))
    return [*above, *shown, *blank, *said, keys][-rows:]


def folded(text: str, columns: int) -> Iterator[str]:
    """Yield `text` as lines of at most `columns`: broken at blanks, or anywhere if there are none."""
    rest = _speakable(text)
    while width(rest) > columns:
        end = _fitting(rest, columns)
        blank = rest.rfind(" ", 1, end + 1)
        broken = blank if blank > end // 2 else end
        yield rest[:broken]
        rest = rest[broken:].removeprefix(" ")
    yield rest


def cut(text: str, columns: int) -> str:
    """Return `text` in at most `columns`; an ellipsis, or "~" where the encoding has none, shows that it was cut."""
    text = _speakable(text)
    if width(text) <= columns:
        return text
    mark = "…" if _speakable("…") == "…" else "~"
    return text[: _fitting(text, columns - 1)] + mark


def _speakable(text: str) -> str:
    """Return `text` as standard output will write it: it escapes what its encoding does not have."""
    encoding = sys.stdout.encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _fitting(text: str, columns: int) -> int:
    """Return how many characters fit in `columns`, at least 1; combining marks stay with what they belong to."""
    used = 0
    for number, char in enumerate(text):
        used += width(char)
        if used > columns:
            return max(number, 1)
    return len(text)


def _beginning(text: Iterable[str], columns: int, rows: int) -> list[str]:
    lines = list(islice((line for part in text for line in folded(part, columns)), rows + 1))
    return _limited(lines, rows, "(v shows the rest)", columns)


def _limited(lines: Sequence[str], most: int, more: str = "…", columns: int = 0) -> list[str]:
    """Return at most so many `lines`; the last one says that there are `more`."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], cut(more, columns or len(more))]
