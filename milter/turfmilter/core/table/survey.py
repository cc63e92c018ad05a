"""One pass over the text of a table before an edit: only lines that concern one pattern become entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from turfmilter.core.table.entries import Source
from turfmilter.core.table.entry import Entry, Problem, Where, parse_line
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, Parts, Pattern, parse_sender, parts_of
from turfmilter.core.table.plain import plain_sender


@dataclass
class Survey:
    """The errors and warnings about the lines of a sender table, and its lines that concern one pattern.

    `near` are the lines with that pattern or with one that covers it, as a source that keeps their line numbers.
    """

    name: str
    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def near(self) -> Source:
        """The source that consists of these lines."""
        return Source(self.name, "\n".join(self.lines), self.numbers, comments=True)


def survey(name: str, text: str, pattern: Pattern) -> Survey:
    """Check the table file `name` with this text, and collect its lines that concern `pattern`."""
    found, is_near = Survey(name), _nearness(parts_of(pattern))
    for number, line in _lines(text):
        parts, problems = _read(line, Where(name, number))
        found.problems += problems
        if parts and is_near(parts):
            found.lines.append(line)
            found.numbers.append(number)
    return found


def twins(name: str, text: str, entry: Entry) -> list[Entry]:
    """Return the entries of the table file `name` with the pattern and sign of `entry`, however they are spelled."""
    wanted, found = parts_of(entry.pattern), []
    for number, line in _lines(text):
        parts, _ = _read(line, Where(name, number))
        if parts == wanted:
            twin, _ = parse_line(line, Where(name, number), parse_sender)
            if twin and twin.exception == entry.exception:
                found.append(twin)
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines and their numbers one at a time: a list of all lines would need more memory than the text."""
    number, start = 1, 0
    while (end := text.find("\n", start)) >= 0:
        yield number, text[start:end].removesuffix("\r")
        number, start = number + 1, end + 1
    yield number, text[start:]


def _read(line: str, where: Where) -> tuple[Parts | None, list[Problem]]:
    """Return the parts of the pattern in a line, without building an entry for the many plain lines."""
    parts = plain_sender(line)
    if parts or not line:
        return parts, []
    entry, problems = parse_line(line, where, parse_sender)
    return (parts_of(entry.pattern) if entry else None), problems


def _nearness(parts: Parts) -> Callable[[Parts], bool]:
    """Return a function that tells whether a pattern is that of `parts` or may cover it."""
    domain = parts[1] if parts[0] is Domain else "" if parts[0] is Local else parts[2]
    local = parts[1] if parts[0] in (Address, Local) else None
    labels = domain.split(".")
    above = {".".join(labels[depth:]) for depth in range(len(labels))}

    def is_near(other: Parts) -> bool:
        kind = other[0]
        if kind is Domain:
            return other[1] in above
        if kind is Glob:
            return bool(other[2] == domain)
        return bool(other[1] == local) if kind is Local else other == parts

    return is_near
