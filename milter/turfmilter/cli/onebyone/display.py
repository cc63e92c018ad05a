"""A terminal that shows one page after another, each drawn from the top and as large as the terminal is then."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import click

from turfmilter.cli.onebyone.keyboard import Ended
from turfmilter.cli.output import FEWEST_COLUMNS
from turfmilter.cli.streams import displayed_encoding
from turfmilter.core.ports import Clock
from turfmilter.review.layout import Screen, width

_USUAL = os.terminal_size((80, 24))  # for a terminal that does not know its size, such as a serial console
_CLEAR = "\x1b[H\x1b[2J"  # ECMA-48: CUP and ED, which all terminals have except those in _PLAIN
_PLAIN = ("", "dumb", "unknown")  # values of TERM

_LABEL = 8  # columns of the labels, on screens of at least so many columns:
_WIDE = 39

Fact = tuple[str, str]  # a label, and an escaped text


class Display:
    """The terminal that standard output is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clear = "" if os.environ.get("TERM", "") in _PLAIN else _CLEAR

    def measure(self) -> tuple[Screen, int]:
        """Return what fits on it now: a screen, and the number of rows."""
        try:
            # Not shutil.get_terminal_size: COLUMNS in the environment does not follow a resize.
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 0, 0
        # The last column stays empty: after it, some terminals begin a new line, and some do not.
        columns = max(columns or _USUAL.columns, FEWEST_COLUMNS) - 1
        return Screen(columns, displayed_encoding(), self._clock.now()), rows or _USUAL.lines

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what is shown by `lines`; the cursor stays at the end of the last one.  Raises Ended."""
        end = "" if self._clear else "\n"
        try:
            click.echo(self._clear + "\n".join(lines) + end, nl=False)
        except OSError:  # EIO: the terminal is closed
            raise Ended(signal.SIGHUP) from None

    def add(self, text: str) -> None:
        """Print `text` below what is shown; nothing happens if the terminal is closed."""
        with suppress(OSError):
            click.echo(f"\n{text}" if self._clear else text)


@dataclass(frozen=True, slots=True)
class Page:
    """What is drawn: a heading, facts and the beginning of a text at the top, notices and the keys at the bottom.

    All texts are escaped.  `text` is read only as far as it is shown; `more` is its last line if not all of it is.
    A line of it that is broken goes on `hanging` columns to the right, unless the screen is narrow.
    """

    heading: str
    facts: Sequence[Fact]
    text: Iterable[str]
    notices: Iterable[str]
    keys: str
    more: str = "(v shows the rest)"
    hanging: int = 0

    def lines(self, on: Screen, rows: int) -> list[str]:
        """Return exactly `rows` lines; if that is too few for everything, the text and the last facts go first."""
        folded = (line for notice in self.notices for line in fold(notice, on))
        said = _limited(list(folded), max(rows // 3, 1), on.ellipsis)
        label_columns = _LABEL if on.columns >= _WIDE else 0
        facts = (on.fit(on.displayable(f"{label:<{label_columns}} {value}"), on.columns) for label, value in self.facts)
        above = [on.fit(on.displayable(self.heading), on.columns), *facts][: max(rows - len(said) - 1, 0)]
        room = rows - len(above) - len(said) - 1
        shown = ["", *self._beginning(on, room - 1)] if room > 1 else []
        return [*above, *shown, *[""] * (room - len(shown)), *said, self.keys][-rows:]

    def _beginning(self, on: Screen, rows: int) -> list[str]:
        hanging = self.hanging if on.columns >= _WIDE else 0
        folded = (line for part in self.text for line in fold(part, on, hanging))
        return _limited(list(islice(folded, rows + 1)), rows, on.fit(self.more, on.columns))


def fold(escaped: str, on: Screen, hanging: int = 0) -> Iterator[str]:
    """Yield a text as lines that fit on the screen: broken at blanks, or anywhere if there are none.

    All lines but the first begin with as many blanks as `hanging`.
    """
    rest = on.displayable(escaped)
    while (end := _fitting(rest, on.columns)) < len(rest):
        blank = rest.rfind(" ", 1, end + 1)
        broken = blank if blank > end // 2 else end
        yield rest[:broken]
        rest = " " * hanging + rest[broken:].removeprefix(" ")
    yield rest


def _fitting(text: str, columns: int) -> int:
    """Return how many characters of `text` fit into `columns`."""
    used = 0
    for number, char in enumerate(text):
        used += width(char)
        if used > columns:
            return number
    return len(text)


def _limited(lines: Sequence[str], most: int, more: str) -> list[str]:
    """Return at most so many `lines`; the last one then says that there are `more`."""
    return list(lines) if len(lines) <= most else [*lines[: most - 1], more]
