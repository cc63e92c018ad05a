"""The kinds of values that are tables: lists of entries and of the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from turfmilter.config.given import Given, Wrong
from turfmilter.config.setting import Kind
from turfmilter.config.textfile import TextFileError, read_text
from turfmilter.config.written import described, quoted
from turfmilter.core.clients import ClientTable
from turfmilter.core.entry import Entry, Problem, Where
from turfmilter.core.hosts import HostTable
from turfmilter.core.pattern import Interval, Name, PatternError, parse_host, parse_sender
from turfmilter.core.senders import SenderTable
from turfmilter.core.tablefile import Parse, parse_entry, read_entries
from turfmilter.importers.postfix import read_postfix
from turfmilter.importers.sendmail import read_sendmail
from turfmilter.importers.words import Of

# A word and a colon, unless it is the beginning of an IPv6 address.
_SOURCE = re.compile(r"(?P<sign>!?)(?!!?[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:])(?P<word>[A-Za-z][\w-]*):(?P<path>.*)", re.DOTALL)
# More than 10.0.0.0/8 or fc00::/7, the largest networks that one organisation can have for itself.
_HUGE = {4: 1 << 24, 6: 1 << 121}
_SOURCES = "`file:PATH`, `postfix:PATH` and `sendmail:PATH`"
# What stands before the source of a table in main.cf.
_TABLES = frozenset({"btree", "cdb", "cidr", "dbm", "hash", "lmdb", "texthash"})


def _read_own(lines: Iterable[str], source: str, parse: Parse, _of: Of) -> tuple[list[Entry], list[Problem]]:
    return read_entries(lines, source, parse)


_READERS = {"file": _read_own, "postfix": read_postfix, "sendmail": read_sendmail}


class Hosts(Kind[HostTable]):
    """A table of our own addresses, of domains or of networks.

    `what` its entries are, in words; `trusted` says that whoever matches may relay.
    """

    def __init__(self, what: str, *, exception_wins: bool, addresses_only: bool = False, trusted: bool = False) -> None:
        self._exception_wins, self._addresses_only, self._trusted = exception_wins, addresses_only, trusted
        self.words = f"a list of {what}, and of {_SOURCES}"

    def read(self, given: Given) -> HostTable:
        entries = _entries(given, _parse_address if self._addresses_only else parse_host, Of.DOMAINS)
        table = HostTable(entries, exception_wins=self._exception_wins)
        given.notes.entries(given.key, table.warnings)
        if self._trusted:
            given.notes.entries(given.key, _too_wide(entries))
        return table


class ClientEntries(Kind[tuple[Entry, ...]]):
    """Entries about clients, of which more than one key makes a table."""

    words = f"a list of addresses, networks, ranges and names, and of {_SOURCES}"

    def read(self, given: Given) -> tuple[Entry, ...]:
        return tuple(_entries(given, parse_host, Of.CLIENTS))


class Clients(Kind[ClientTable]):
    """A table of clients: those who are refused, or those who may relay."""

    words = ClientEntries.words

    def __init__(self, *, refused: bool) -> None:
        self._refused = refused

    def read(self, given: Given) -> ClientTable:
        entries = _entries(given, parse_host, Of.CLIENTS)
        table = ClientTable(entries, exception_refuses=not self._refused)
        given.notes.entries(given.key, table.warnings)
        if not self._refused:
            given.notes.entries(given.key, _too_wide(entries))
        return table


class Senders(Kind[SenderTable]):
    """A table of mail addresses."""

    words = f"a list of mail addresses and domains, as in a turf table, and of {_SOURCES}"

    def read(self, given: Given) -> SenderTable:
        table = SenderTable(_entries(given, parse_sender, Of.SENDERS))
        given.notes.entries(given.key, table.warnings)
        return table


def _parse_address(text: str) -> Interval:
    pattern = parse_host(text)
    if isinstance(pattern, Name):
        raise PatternError("a name where only addresses are compared", "write its address")
    return pattern


def _entries(given: Given, parse: Parse, of: Of) -> list[Entry]:
    """The entries of a list and of the files that it names; every problem is noted, and then there are none."""
    entries: list[Entry] = []
    before = len(given.notes.problems)
    for item in given.items():
        try:
            found, problems = _of_item(item, parse, of)
        except (Wrong, TextFileError) as error:
            given.notes.problem(item.key, error)
            continue
        entries += found
        given.notes.entries(item.key, problems)
    return entries if len(given.notes.problems) == before else []


def _of_item(item: Given, parse: Parse, of: Of) -> tuple[list[Entry], list[Problem]]:
    if not isinstance(item.value, str):
        raise Wrong(f"{described(item.value)} is not an entry; an entry is text")
    source = _SOURCE.fullmatch(item.value.strip())
    if source:
        return _of_source(item, source, parse, of)
    entry, problems = parse_entry(item.value, Where(item.key), parse)
    if _is_file(item):
        meant = f'probably meant "file:{item.value}"'
        problems = [
            Problem(Where(item.key), item.value, "a file, taken for an entry", meant, warning=entry is not None)
        ]
    return ([entry] if entry else []), problems


def _of_source(item: Given, source: re.Match[str], parse: Parse, of: Of) -> tuple[list[Entry], list[Problem]]:
    word, name = source["word"].lower(), source["path"].strip()
    reader = _READERS.get(word)
    if reader is None:
        raise Wrong(f"{quoted(item.text)}: {source['word']}: is no source; {_meant(word, name)}")
    if source["sign"]:
        raise Wrong(f'{quoted(item.text)}: a file is no exception; write the "!" before the entries in it')
    if not name or "\0" in name:
        raise Wrong(f'{quoted(item.text)}: no file is named; write "{word}:PATH"')
    path = item.notes.folder / name
    lines = read_text(path).split("\n")  # splitlines() would count lines that no editor shows
    item.notes.files.append(path)
    return reader(lines, name, parse, of)


def _meant(word: str, name: str) -> str:
    if word in _TABLES and name:
        return f'for the source of a table of Postfix write "postfix:{name}"'
    return 'sources are "file:PATH", "postfix:PATH" and "sendmail:PATH"'


def _is_file(item: Given) -> bool:
    try:
        return (item.notes.folder / item.text).is_file()
    except OSError:
        return False


def _too_wide(entries: Iterable[Entry]) -> Iterator[Problem]:
    wrong = "holds much of the Internet: an OPEN RELAY, unless the MTA itself refuses"
    return (Problem(entry.where, entry.text, wrong, warning=True) for entry in entries if _holds_most(entry))


def _holds_most(entry: Entry) -> bool:
    pattern = entry.pattern
    return (
        isinstance(pattern, Interval) and not entry.exception and pattern.last - pattern.first >= _HUGE[pattern.version]
    )
