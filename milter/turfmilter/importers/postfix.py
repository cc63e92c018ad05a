"""Postfix's files: the source of a lookup table (postmap(1)), or a list that main.cf names as "/file"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from turfmilter.core.table.entry import Entry, Parse, Problem, Where
from turfmilter.core.table.pattern import Interval, Name
from turfmilter.importers.words import OWN_FILE, Dialect, Of, Word, named, translate

_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s,])+')
_FIRST = re.compile(rf"[\s,]*{_WORD.pattern}([\s,]*)")
_COMMENT = re.compile(r"(?<![^\s,])#")
# A second word that looks like an entry makes the line part of a list; any other is the result of a lookup.
_SECOND_ENTRY = re.compile(r"[!$/[].*|[a-z]+:/.*|localhost|\.?[\w-]+(?:\.[\w-]+)+\.?(?:/\d+)?", re.IGNORECASE)
# What the results in an access table do (access(5)); the results in other tables do not matter here.
_ACTION = re.compile(
    r"(?:(?P<refuses>REJECT|DEFER\w*|DISCARD|[45]\d\d)|(?P<passes>OK|PERMIT\w*)|(?P<leaves>DUNNO))(?!\w)", re.IGNORECASE
)
_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9a-f:.]+)\](/\d+)?", re.IGNORECASE)

_FOREIGN = {
    r"\$": ("a variable of main.cf", 'write its value, which "postconf -x" prints'),
    r"/": ("a file inside a list, or a regular expression", 'name the file in the configuration: "postfix:PATH"'),
    r"(?![0-9a-f]{1,4}:[0-9a-f:])[a-z]\w*:": (
        "a table inside a list",
        'name its source in the configuration: "postfix:PATH"',
    ),
    r"(?:if|endif)\Z": ("a condition", OWN_FILE),
    r"\w+\s*=(?!.*@)": ("a line of main.cf", "name a file that contains only the list"),
}


def read_postfix(lines: Iterable[str], source: str, parse: Parse, of: Of) -> tuple[list[Entry], list[Problem]]:
    """Return the entries in one of Postfix's files, and its errors and warnings; `source` is the file's name.

    Only the first column of a table is read.
    """
    words, problems = _words(lines, source)
    # The default of parent_domain_matches_subdomains: a bare domain covers its subdomains in mynetworks, in access
    # tables and in relay_domains, but not in mydestination and the virtual domains.
    below = of is not Of.DOMAINS or named(source, "relay_domains")
    entries, found = translate(words, Dialect(_FOREIGN, _address), parse, of, below=below)
    problems += [*found, *never_reached(entries)]
    return entries, sorted(problems, key=lambda problem: problem.where.line)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a list, or of a table, with the `result` that follows the key."""

    words: tuple[Word, ...]
    table: bool | None  # None: it can be either
    result: str = ""


def _words(lines: Iterable[str], source: str) -> tuple[list[Word], list[Problem]]:
    """Return the entries of all lines, and problems unless all are of one list, or of one table with one meaning."""
    words: list[Word] = []
    problems: list[Problem] = []
    shape: _Line | None = None
    said: _Line | None = None
    for line in _lines(lines, source):
        words += line.words
        shape = shape or (line if line.table is not None else None)
        said = said or (line if _action(line) else None)
        if line.table and line.words[0].exception:
            wrong = 'a "!" in a table: to Postfix, it is part of the key, or means all other keys'
            problems.append(_problem(line, wrong, OWN_FILE))
        elif shape and line.table not in (None, shape.table):
            problems.append(_mixed(line, shape))
        elif said and _action(line) not in (None, _action(said)):
            wrong = f"the result is {line.result}, but {said.result} in line {said.words[0].where.line}"
            meant = "all entries of a list must mean the same; move the others to a file of their own"
            problems.append(_problem(line, wrong, meant))
    return words, problems


def _lines(lines: Iterable[str], source: str) -> Iterator[_Line]:
    """Yield the lines that are not empty or comments.  In a table, an indented line continues the previous result."""
    before: _Line | None = None
    for number, text in enumerate(lines, 1):
        text = text.removeprefix("\ufeff")
        line = _line(text, Where(source, number))
        if line and not (before and before.table and text[0].isspace()):
            before = line
            yield line


def _line(text: str, where: Where) -> _Line | None:
    content, *comment = _COMMENT.split(text, 1)
    found = _WORD.findall(content)
    if not found:
        return None
    words = tuple(Word(word, where) for word in found)
    gap = _FIRST.match(content)
    if gap and "," in gap[1]:
        return _Line(words, table=False)
    if len(found) == 1:
        return _Line(words, table=None if comment else False)
    if found[1] == "=":
        return _Line((Word(f"{found[0]} =", where),), table=False)
    if "@" not in found[0] and _SECOND_ENTRY.fullmatch(found[1]):
        return _Line(words, table=False)
    return _Line(words[:1], table=True, result=found[1])


def _action(line: _Line) -> str | None:
    action = _ACTION.match(line.result)
    return action and action.lastgroup


def _mixed(line: _Line, shape: _Line) -> Problem:
    number = shape.words[0].where.line
    if line.table:
        wrong = f'"{line.result}" follows it, as in a table, but line {number} is of a list'
        return _problem(line, wrong, "in a list, commas separate the entries of one line")
    wrong = f"a line of a list, but line {number} is of a table"
    return _problem(line, wrong, "in a table, a result follows each entry")


def _problem(line: _Line, wrong: str, meant: str) -> Problem:
    return Problem(line.words[0].where, line.words[0].text, wrong, meant)


def _address(word: str) -> str:
    """Return our spelling of an address: Postfix writes IPv6 in brackets where a colon could also name a table."""
    literal = _LITERAL.fullmatch(word)
    return f"{literal[1]}{literal[2] or ''}" if literal else word


def never_reached(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Yield errors about entries whose result differs: in Postfix the first match decides, here the most specific."""
    if not any(entry.exception for entry in entries):
        return
    for sign in (False, True):  # entries of the same sign give the same answer, whichever is found first
        earlier: list[Entry] = []
        for entry in entries:
            if entry.exception is sign:
                earlier.append(entry)
                continue
            first = next((other for other in earlier if _decides_before(other, entry)), None)
            if first:
                place = f"line {first.where.line}" if first.where.line else first.where.source
                wrong = f'"{first.text}" in {place} decides first in Postfix, but not here'
                yield Problem(entry.where, entry.text, wrong, "put the most specific entry first")


def _decides_before(first: Entry, second: Entry) -> bool:
    """Return True if both can match the same client, and the second is not the less specific one."""
    match first.pattern, second.pattern:
        case Interval() as one, Interval() as other:
            return one.version == other.version and one.first <= other.first and other.last <= one.last
        case Name() as one, Name() as other:
            return one.domain == other.domain or (not one.exact and other.domain.endswith(f".{one.domain}"))
        case Name(), Interval():  # Postfix compares both the name and the address of a client with each entry
            return True
    return False
