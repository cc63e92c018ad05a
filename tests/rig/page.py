"""A page of the documentation as a list of steps: what it shows to type, and what it shows to be printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_OUTPUT = ("text", "log")
_LEFT_OUT = "…"

# All that differs from one run of a command to the next, and between the page's machine and the test's.  A pattern
# stands for everything that it matches on a page; the first that matches at a place is taken.
VARYING = {
    "digest": r"[0-9a-f]{64}",
    "moment": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)",
    "minute": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "day": r"\d{4}-\d\d-\d\d",
    "time of day": r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d",
    "listed size": r"(?<=:\d\d ) *[\d.]+[KMG]?\b",
    "date": r"\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
    "message id": r"<\d{14}\.\d+@[\w.]+>",
    "id": r"\b2[0-9a-z]{5}-[0-9a-z]{6}\b",
    "queue id": r"\b(?:[0-9A-F]{8,14}|[0-9A-Za-z]{8}\d{6})(?![\w.])",
    "time taken": r"(?: ms=\d+)?$",
    "descriptors": r"\d+(?= files may be open)",
    "counter": r"(?<==)\d+c\b",
    "bytes": r"\d+(?= bytes$)",
    "size": r"(?<=size=)\d+",
    "engine": r"(?<=protocol engine: )\w+ \(auto: .*\)",
    "mailer": r"(?<=X-Mailer: swaks v)[\d.]+",
}
_ANY = re.compile("|".join(f"(?P<{name.replace(' ', '_')}>{pattern})" for name, pattern in VARYING.items()))


@dataclass(frozen=True)
class Step:
    """A block of the page with the heading of its section and its language.

    `shown` are the lines that the page shows as its output; None if it shows none.
    """

    section: str
    language: str
    text: str
    shown: list[str] | None


def steps(page: Path) -> Iterator[Step]:
    """Every block, in order, except those that are the output of the one before, in the same section."""
    text = page.read_text()
    blocks = [*_FENCE.finditer(text), None]
    output = None
    for block, after in pairwise(blocks):
        if block is None or block is output:
            continue
        between = text[block.end() : after.start()] if after else ""
        output = after if after and after[1] in _OUTPUT and "\n#" not in f"\n{between}" else None
        section = _HEADING.findall(_FENCE.sub("", text[: block.start()]))[-1]
        yield Step(section, block[1], block[2], output[2].splitlines() if output else None)


class Comparison:
    """Compares what is printed with what a page shows.

    Ids on the page stand for ids of this run from the moment when they are first printed: `here` translates them.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def here(self, text: str) -> str:
        """The text with this run's ids, also where the page writes only the beginning of one."""
        for shown, own in self._ids.items():
            text = re.sub(rf"\b{shown[:4]}(?:{shown[4:6]}(?:{shown[6:]})?)?\b", own, text)
        return text

    def differs(self, shown: list[str], printed: list[str]) -> str:
        """What is missing or different, as a sentence; "" if it is what the page shows.

        A line "…" on the page stands for any lines.
        """
        names: list[str] = []
        pattern = ""
        for line in map(self.here, shown):
            pattern += r"(?:.*\n)*?" if line == _LEFT_OUT else self._pattern(line, names) + r" *\n"
        found = re.compile(pattern, re.MULTILINE).fullmatch("\n".join(printed).rstrip() + "\n")
        if found is None:
            return f"{self._first_other(shown, printed)}\nprinted:\n" + "\n".join(printed)
        self._ids.update(zip(names, found.groups(), strict=True))
        return ""

    def _pattern(self, line: str, names: list[str]) -> str:
        """The regular expression for a line of the page; `names` gains the ids for which it has a group."""
        pattern, done = "", 0
        for found in _ANY.finditer(line):
            kind = str(found.lastgroup).replace("_", " ")
            pattern += re.escape(line[done : found.start()])
            new = kind == "id" and found[0] not in self._ids.values()
            pattern += f"({VARYING[kind]})" if new else re.escape(found[0]) if kind == "id" else VARYING[kind]
            names += [found[0]] if new else []
            done = found.end()
        return pattern + re.escape(line[done:])

    def _first_other(self, shown: list[str], printed: list[str]) -> str:
        """The first line of the page that is not printed anywhere."""
        for line in shown:
            one = re.compile(self._pattern(self.here(line), []) + " *")
            if line != _LEFT_OUT and not any(map(one.fullmatch, printed)):
                return f"not printed: {line!r}"
        return "the lines of the page are printed, but in another order or among others"
