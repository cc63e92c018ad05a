"""One pass over the text of a table, for an edit: only the lines that have to do with one pattern become entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from turfmilter.core.table.entries import Source
from turfmilter.core.table.entry import Entry, Problem, Where, parse_line
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, Parts, Pattern, parse_sender, parts_of
from turfmilter.core.table.plain import plain_sender


@dataclass
class Survey:
    """What is wrong or doubtful in the lines of a table of senders, and its lines about one pattern.

    `near` are the lines that hold that pattern or one that covers it, as a source of their own with their numbers.
    """

    name: str
    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def near(self) -> Source:
        """The source that consists of the lines."""
        return Source(self.name, "\n".join(self.lines), self.numbers, comments=True)


def survey(name: str, text: str, pattern: Pattern) -> Survey:
    """Look through the table file `name` for what has to do with `pattern`."""
    found, is_near = Survey(name), _nearness(parts_of(pattern))
    for number, line in _lines(text):
        parts, problems = _read(line, Where(name, number))
        found.problems += problems
        if parts and is_near(parts):
            found.lines.append(line)
            found.numbers.append(number)
    return found


def twins(name: str, text: str, entry: Entry) -> list[Entry]:
    """The entries of the table file `name` with the same pattern and sign as `entry`, however they are spelled."""
    wanted, found = parts_of(entry.pattern), []
    for number, line in _lines(text):
        parts, _ = _read(line, Where(name, number))
        if parts == wanted:
            twin, _ = parse_line(line, Where(name, number), parse_sender)
            if twin and twin.exception == entry.exception:
                found.append(twin)
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines and their numbers, one at a time: a list of all of them would be as large as the text again."""
    number, start = 1, 0
    while (end := text.find("\n", start)) >= 0:
        yield number, text[start:end].removesuffix("\r")
        number, start = number + 1, end + 1
    yield number, text[start:]


def _read(line: str, where: Where) -> tuple[Parts | None, list[Problem]]:
    """The parts of the pattern in a line; most lines are plain, and need no entry for that."""
    parts = plain_sender(line)
    if parts or not line:
        return parts, []
    entry, problems = parse_line(line, where, parse_sender)
    return (parts_of(entry.pattern) if entry else None), problems


def _nearness(parts: Parts) -> Callable[[Parts], bool]:
    """Whether a pattern is that of `parts`, or may cover it."""
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
