"""The lists in main.cf: their words, and the domains for which Postfix receives mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from turfmilter.core.table.entry import Entry, Problem, Where
from turfmilter.core.table.pattern import Interval, Name, PatternError, parse_host
from turfmilter.importers.postfix import never_reached

RECEIVING = ("mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains")
PARENT_STYLE = "parent_domain_matches_subdomains"
# The types of tables whose keys can be listed (postmap -s).
LISTED = frozenset({"btree", "cdb", "dbm", "hash", "inline", "lmdb", "sdbm", "texthash"})

_TABLE = re.compile(r"(?P<proxy>(?:proxy:)*)(?P<kind>[a-z][a-z0-9_]*):(?P<name>.*)", re.DOTALL)
_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9a-f:.]+)\]", re.IGNORECASE)


def words(value: str) -> Iterator[str]:
    """Yield the words of a list: commas and blanks separate them, except in braces (`inline:{ {a = b} }`)."""
    word, depth = "", 0
    for character in value:
        if depth == 0 and (character == "," or character.isspace()):
            if word:
                yield word
            word = ""
            continue
        depth = max(0, depth + (character == "{") - (character == "}"))
        word += character
    if word:
        yield word


class Reader(Protocol):
    """Reads the files and tables that a list names."""

    def lines(self, path: str) -> Sequence[str]:
        """Return the lines of a file."""

    def keys(self, table: str) -> Sequence[str]:
        """Return the keys of a table (`hash:PATH`) whose type is LISTED."""


@dataclass(frozen=True, slots=True)
class Received:
    """The domains for which Postfix receives mail.

    `unlisted` are the tables whose keys cannot be listed, as pairs of parameter and table.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    unlisted: tuple[tuple[str, str], ...] = ()


def read_received(parameters: Mapping[str, str], reader: Reader) -> Received:
    """Return the domains for which Postfix receives mail, from the parameters of main.cf with all variables expanded.

    Postfix compares whole names, except in relay_domains: there a domain covers its subdomains if
    parent_domain_matches_subdomains lists relay_domains, and otherwise ".domain" means only the subdomains.
    """
    below = "relay_domains" in words(parameters.get(PARENT_STYLE, ""))
    lists = [_List(name, reader, below=below and name == "relay_domains") for name in RECEIVING]
    for one in lists:
        one.read(parameters.get(one.name, ""), Where(f"main.cf {one.name}"))
    return Received(
        tuple(_together([*one.entries, *one.not_itself] for one in lists)),
        tuple(problem for one in lists for problem in (*one.problems, *never_reached(one.entries))),
        tuple((one.name, table) for one in lists for table in one.unlisted),
    )


class _List:
    """One of the parameters while it is read; `below` is True if a domain covers its subdomains."""

    def __init__(self, name: str, reader: Reader, *, below: bool) -> None:
        self.name = name
        self.entries: list[Entry] = []
        self.not_itself: list[Entry] = []  # for each ".domain", the exception for the domain itself
        self.problems: list[Problem] = []
        self.unlisted: list[str] = []
        self._reader = reader
        self._below = below
        self._open: list[str] = []  # the files that are being read: a file may name itself

    def read(self, value: str, where: Where, *, exception: bool = False) -> None:
        for word in words(value):
            body = word.lstrip("!")
            sign = exception ^ (len(word) - len(body)) % 2 == 1
            table = _TABLE.fullmatch(body)
            if body.startswith("/"):
                self._read_file(body, exception=sign)
            elif table:
                self._read_table(table, exception=sign)
            else:
                self._add(word, body, where, exception=sign)

    def _read_file(self, path: str, *, exception: bool) -> None:
        if path in self._open:
            return
        self._open.append(path)
        for number, line in enumerate(self._reader.lines(path), 1):
            if not line.lstrip().startswith("#"):
                self.read(line, Where(path, number), exception=exception)
        self._open.pop()

    def _read_table(self, table: re.Match[str], *, exception: bool) -> None:
        if table["kind"] not in LISTED:
            self.unlisted.append(table[0])
            return
        name = f"{table['kind']}:{table['name']}"
        for key in self._reader.keys(name):
            # A virtual(5) table is also a list of domains; its other keys are addresses and local parts.
            if not self.name.startswith("virtual_") or ("." in key and "@" not in key):
                self._add(key, key, Where(name), exception=exception)

    def _add(self, word: str, name: str, where: Where, *, exception: bool) -> None:
        literal = _LITERAL.fullmatch(name)
        dotted = name.startswith(".")
        if dotted and (self._below or self.name != "relay_domains"):
            self.problems.append(Problem(where, word, "matches nothing in Postfix", "write it without the dot", True))
            return
        try:
            pattern = parse_host(literal[1] if literal else name.removeprefix("."))
        except PatternError:
            pattern = None
        if isinstance(pattern, Interval) and literal:
            self.entries.append(Entry(word, pattern, where, exception))
        elif isinstance(pattern, Name) and not name.startswith("="):
            itself = Name(pattern.domain, exact=True)
            wide = self._below or dotted
            self.entries.append(Entry(word, Name(pattern.domain, exact=False) if wide else itself, where, exception))
            if dotted and not exception:
                self.not_itself.append(Entry(word, itself, where, exception=True))
        else:
            self.problems.append(Problem(where, word, "not a domain, so it matches no recipient", warning=True))


def _together(lists: Iterable[Sequence[Entry]]) -> Iterator[Entry]:
    """Yield the entries of all lists, without duplicates.

    Postfix receives mail for a domain that any list includes, even if another list excludes it.  So an exception for
    a whole name is dropped if the name is an entry elsewhere.
    """
    every = [entry for entries in lists for entry in entries]
    plain = {entry.pattern for entry in every if not entry.exception}
    wide = {_domain(entry) for entry in every if not entry.exception and not _exact(entry)}
    no_exceptions = not any(entry.exception for entry in every)
    seen = set()
    for entry in every:
        key = (entry.pattern, entry.exception)
        received = entry.exception and _exact(entry) and entry.pattern in plain
        covered = no_exceptions and _exact(entry) and _below_any(_domain(entry), wide)
        if key not in seen and not received and not covered:
            seen.add(key)
            yield entry


def _exact(entry: Entry) -> bool:
    return not isinstance(entry.pattern, Name) or entry.pattern.exact


def _domain(entry: Entry) -> str:
    return entry.pattern.domain if isinstance(entry.pattern, Name) else ""


def _below_any(domain: str, wide: set[str]) -> bool:
    while domain:
        if domain in wide:
            return True
        domain = domain.partition(".")[2]
    return False
