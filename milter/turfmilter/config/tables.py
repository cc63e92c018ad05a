"""The kinds of values that are tables: lists of entries and of the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from turfmilter.config.given import Given, Wrong
from turfmilter.config.setting import Kind
from turfmilter.config.textfile import TextFileError, read_text
from turfmilter.config.written import described, quoted
from turfmilter.core.clients import ClientTable
from turfmilter.core.entry import Entry, Problem, Where
from turfmilter.core.hosts import HostTable
from turfmilter.core.pattern import Interval, Name, Pattern, PatternError, parse_host, parse_sender
from turfmilter.core.senders import SenderTable
from turfmilter.core.tablefile import parse_entry, read_entries

# A word and a colon, unless it is the beginning of an IPv6 address.
_SOURCE = re.compile(r"(?P<sign>!?)(?!!?[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:])(?P<word>[A-Za-z][\w-]*):(?P<path>.*)", re.DOTALL)
# More than 10.0.0.0/8 or fc00::/7, the largest networks that one organisation can have for itself.
_HUGE = {4: 1 << 24, 6: 1 << 121}


class Hosts(Kind[HostTable]):
    """A table of our own addresses, of domains or of networks.

    `what` its entries are, in words; `trusted` says that whoever matches may relay.
    """

    def __init__(self, what: str, *, exception_wins: bool, addresses_only: bool = False, trusted: bool = False) -> None:
        self._exception_wins, self._addresses_only, self._trusted = exception_wins, addresses_only, trusted
        self.words = f"a list of {what}, and of `file:PATH`"

    def read(self, given: Given) -> HostTable:
        entries = _entries(given, _parse_address if self._addresses_only else parse_host)
        table = HostTable(entries, exception_wins=self._exception_wins)
        given.notes.entries(given.key, table.warnings)
        if self._trusted:
            given.notes.entries(given.key, _too_wide(entries))
        return table


class ClientEntries(Kind[tuple[Entry, ...]]):
    """Entries about clients, of which more than one key makes a table."""

    words = "a list of addresses, networks, ranges and names, and of `file:PATH`"

    def read(self, given: Given) -> tuple[Entry, ...]:
        return tuple(_entries(given, parse_host))


class Clients(Kind[ClientTable]):
    """A table of clients: those who are refused, or those who may relay."""

    words = ClientEntries.words

    def __init__(self, *, refused: bool) -> None:
        self._refused = refused

    def read(self, given: Given) -> ClientTable:
        entries = _entries(given, parse_host)
        table = ClientTable(entries, exception_refuses=not self._refused)
        given.notes.entries(given.key, table.warnings)
        if not self._refused:
            given.notes.entries(given.key, _too_wide(entries))
        return table


class Senders(Kind[SenderTable]):
    """A table of mail addresses."""

    words = "a list of mail addresses and domains, as in a turf table, and of `file:PATH`"

    def read(self, given: Given) -> SenderTable:
        table = SenderTable(_entries(given, parse_sender))
        given.notes.entries(given.key, table.warnings)
        return table


def _parse_address(text: str) -> Interval:
    pattern = parse_host(text)
    if isinstance(pattern, Name):
        raise PatternError("a name where only addresses are compared", "write its address")
    return pattern


def _entries(given: Given, parse: Callable[[str], Pattern]) -> list[Entry]:
    """The entries of a list and of the files that it names; every problem is noted, and then there are none."""
    entries: list[Entry] = []
    before = len(given.notes.problems)
    for item in given.items():
        try:
            found, problems = _of_item(item, parse)
        except (Wrong, TextFileError) as error:
            given.notes.problem(item.key, error)
            continue
        entries += found
        given.notes.entries(item.key, problems)
    return entries if len(given.notes.problems) == before else []


def _of_item(item: Given, parse: Callable[[str], Pattern]) -> tuple[list[Entry], list[Problem]]:
    if not isinstance(item.value, str):
        raise Wrong(f"{described(item.value)} is not an entry; an entry is text")
    source = _SOURCE.fullmatch(item.value.strip())
    if source:
        return _of_source(item, source, parse)
    entry, problems = parse_entry(item.value, Where(item.key), parse)
    if _is_file(item):
        meant = f'probably meant "file:{item.value}"'
        problems = [
            Problem(Where(item.key), item.value, "a file, taken for an entry", meant, warning=entry is not None)
        ]
    return ([entry] if entry else []), problems


def _of_source(
    item: Given, source: re.Match[str], parse: Callable[[str], Pattern]
) -> tuple[list[Entry], list[Problem]]:
    if source["word"].lower() != "file":
        raise Wrong(f'{quoted(item.text)}: {source["word"]}: is no source; a file of entries is written "file:PATH"')
    if source["sign"]:
        raise Wrong(f'{quoted(item.text)}: a file is no exception; write the "!" before the entries in it')
    name = source["path"].strip()
    if not name or "\0" in name:
        raise Wrong(f'{quoted(item.text)}: no file is named; write "file:PATH"')
    path = item.notes.folder / name
    lines = read_text(path).split("\n")  # splitlines() would count lines that no editor shows
    item.notes.files.append(path)
    return read_entries(lines, name, parse)


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
