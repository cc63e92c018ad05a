"""The kinds of values that are tables: lists of entries, and of files that contain entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from turfmilter.config.expired import expired
from turfmilter.config.given import Given, Wrong, described, quoted
from turfmilter.config.hints import SOURCES, looks_like_a_path, recognised, source_of
from turfmilter.config.kinds.maincf import is_main_cf, read_main_cf
from turfmilter.config.received import MAIN_CF
from turfmilter.config.setting import Kind
from turfmilter.config.textfile import TextFileError
from turfmilter.core.clients import ClientTable
from turfmilter.core.table.entries import HOSTS, SENDERS, Entries, Language, Source, made_elsewhere, table_file
from turfmilter.core.table.entry import Entry, Parse, Problem, Where, parse_entry
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.pattern import Interval, Name, PatternError, parse_host
from turfmilter.core.table.plain import plain_interval
from turfmilter.core.table.senders import SenderTable
from turfmilter.importers.postfix import read_postfix
from turfmilter.importers.sendmail import read_sendmail
from turfmilter.importers.words import Of

OPEN_RELAY = "an OPEN RELAY, unless the MTA itself rejects mail"
_SOURCES = "`file:PATH`, `postfix:PATH` and `sendmail:PATH`"


class Hosts(Kind[HostTable]):
    """A table of our own addresses, of domains, or of networks.

    `what` describes its entries.  `trusted` is True if clients that match may relay, `received` if "postfix:main.cf"
    may be one of the sources.
    """

    table = True

    def __init__(
        self,
        what: str,
        *,
        exception_wins: bool,
        addresses_only: bool = False,
        trusted: bool = False,
        received: bool = False,
    ) -> None:
        self._exception_wins, self._trusted, self._received = exception_wins, trusted, received
        self._language = _ADDRESSES if addresses_only else HOSTS
        self.words = f"a list of {what}, and of {_SOURCES}{', and `postfix:main.cf`' if received else ''}"

    def read(self, given: Given) -> HostTable:
        def make(sources: Iterable[Source]) -> HostTable:
            return HostTable(sources, exception_wins=self._exception_wins, language=self._language)

        table = read_table(given, make, self._language.parse, Of.DOMAINS, received=self._received)
        if self._trusted:
            given.notes.entries(given.key, _vast(table.vast, OPEN_RELAY))
        return table


class ClientEntries(Kind[tuple[Source, ...]]):
    """Entries about clients, for a table that is built from several keys."""

    table = True
    words = f"a list of addresses, networks, ranges and names, and of {_SOURCES}"

    def read(self, given: Given) -> tuple[Source, ...]:
        return read_table(given, _Sound, parse_host, Of.CLIENTS).sources


class Clients(Kind[ClientTable]):
    """A table of clients: those that are refused, or those that are trusted.

    `vast` is the effect of a trusted entry that matches a large part of the Internet, for a warning; "" for none.
    """

    table = True
    words = ClientEntries.words

    def __init__(self, *, refused: bool, vast: str = "") -> None:
        self._refused, self._vast = refused, vast

    def read(self, given: Given) -> ClientTable:
        def make(sources: Iterable[Source]) -> ClientTable:
            return ClientTable(sources, exception_refuses=not self._refused)

        table = read_table(given, make, parse_host, Of.CLIENTS)
        if self._vast:
            given.notes.entries(given.key, _vast(table.vast, self._vast))
        return table


class Senders(Kind[SenderTable]):
    """A table of mail addresses."""

    table = True
    words = f"a list of mail addresses and domains, as in a turf table, and of {_SOURCES}"

    def read(self, given: Given) -> SenderTable:
        return read_table(given, SenderTable, SENDERS.parse, Of.SENDERS)


class _Sound:
    """Sources, without those of an empty list, and the problems in them."""

    warnings: Sequence[Problem] = ()

    def __init__(self, sources: Iterable[Source]) -> None:
        given = tuple(sources)
        entries = Entries(given, HOSTS)
        self.sources = given if sum(1 for _ in entries.read()) else ()
        self.problems: Sequence[Problem] = entries.problems


def _parse_address(text: str) -> Interval:
    pattern = parse_host(text)
    if isinstance(pattern, Name):
        raise PatternError("a name in a list of addresses", "write its address")
    return pattern


_ADDRESSES = Language(_parse_address, plain_interval, plain_interval)


def _vast(entries: Iterable[Entry], effect: str) -> Iterator[Problem]:
    wrong = f"matches a large part of the Internet: {effect}"
    return (Problem(entry.where, entry.text, wrong, warning=True) for entry in entries if not entry.exception)


# A word and a colon, unless these are the beginning of an IPv6 address.
_SOURCE = re.compile(r"(?P<sign>!?)(?!!?[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:])(?P<word>[A-Za-z][\w-]*):(?P<path>.*)", re.DOTALL)
_FOREIGN = {"postfix": read_postfix, "sendmail": read_sendmail}
_WORDS = {"file", *_FOREIGN}


class Table(Protocol):
    """What is built from sources, and the problems found in them."""

    @property
    def problems(self) -> Sequence[Problem]:
        """Errors and warnings about lines."""

    @property
    def warnings(self) -> Sequence[Problem]:
        """Warnings about the entries together, reported only if there are no errors."""


T = TypeVar("T", bound=Table)


def read_table(
    given: Given, make: Callable[[Iterable[Source]], T], parse: Parse, of: Of, *, received: bool = False
) -> T:
    """Return the table built by `make` from a list and the files that it names; an empty one if there is any error.

    Every problem is reported.  `received` is True if "postfix:main.cf" may be one of the sources.
    """
    before = len(given.notes.problems)
    sources: list[Source] = []
    # The problems of each item in the order of the list; a str is the name of a source, whose problems are known later.
    said: list[tuple[Given, Exception | Sequence[Problem] | str]] = []
    for item in given.items():
        try:
            if received and is_main_cf(item):
                sources += read_main_cf(item, given)
                continue
            source, problems = _source(item, parse, of)
        except (Wrong, TextFileError) as error:
            said.append((item, error))
        else:
            sources.append(source)
            said.append((item, problems or source.name))
    table = make(sources)
    of_lines = _by_source(table.problems)
    for item, what in said:
        if isinstance(what, Exception):
            given.notes.problem(item.key, what)
        else:
            given.notes.entries(item.key, of_lines.pop(what, ()) if isinstance(what, str) else what)
    if len(given.notes.problems) > before:
        return make(())
    # An entry that is in main.cf and in another source as well need not be removed from either.
    ours = {source.name for source in sources if not source.name.startswith(MAIN_CF)}
    given.notes.entries(given.key, (one for one in table.warnings if one.where.source in ours))
    if given.notes.today:
        given.notes.entries(given.key, expired(sources, parse, given.notes.today))
    return table


def _by_source(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.where.source, []).append(problem)
    return found


def _source(item: Given, parse: Parse, of: Of) -> tuple[Source, Sequence[Problem]]:
    """Return the source for an item of the list; if there are problems with it, no others are reported for it."""
    if not isinstance(item.value, str):
        raise Wrong(f"{described(item.value)} is not an entry; write entries in quotes")
    source = _SOURCE.fullmatch(item.value.strip())
    if source and not (problems := _tagged(item, source["word"].lower(), parse)):
        return _of_file(item, source, parse, of)
    return Source(item.key, item.value), problems if source else _taken_for_entry(item, parse)


def _of_file(item: Given, source: re.Match[str], parse: Parse, of: Of) -> tuple[Source, Sequence[Problem]]:
    word, name = source["word"].lower(), source["path"].strip()
    if word not in _WORDS:
        body = f"{source['word']}:{name}"
        raise Wrong(f"{quoted(item.text)}: {recognised(body, SOURCES) or _unknown(source['word'])}")
    if source["sign"]:
        raise Wrong(f'{quoted(item.text)}: a file cannot be an exception; write "!" in front of the entries in it')
    if not name or "\0" in name:
        raise Wrong(f'{quoted(item.text)}: the path is missing; write "{word}:PATH"')
    if is_main_cf(item):
        raise Wrong(f"{quoted(item.text)}: allowed only in `domains`; here, name the file that contains the list")
    path = item.notes.folder / name
    item.notes.files.append(path)
    text = item.notes.texts.file(path)
    if word == "file":
        return table_file(name, text), ()
    entries, problems = _FOREIGN[word](text.split("\n"), name, parse, of)  # splitlines() also ends lines at U+2028 etc.
    return made_elsewhere(name, entries), problems


def _unknown(word: str) -> str:
    return f'{word}: is not a source; sources are "file:PATH", "postfix:PATH" and "sendmail:PATH"'


def _tagged(item: Given, word: str, parse: Parse) -> Sequence[Problem]:
    """Return the problem with an entry after a word that is not a source in any program, such as "Connect:"."""
    if word in _WORDS or recognised(item.text.strip().lstrip("!"), SOURCES):
        return ()
    _, problems = parse_entry(item.text, Where(item.key), parse)
    return [problem for problem in problems if problem.meant]


def _taken_for_entry(item: Given, parse: Parse) -> Sequence[Problem]:
    """Return a problem if the entry is also the name of a file, or looks like one, which was more likely meant."""
    text = item.text.strip()
    if not looks_like_a_path(text) and not _is_file(item):
        return ()
    entry, _ = parse_entry(text, Where(item.key), parse)
    wrong, meant = "the name of a file, but read as an entry", f'probably meant "{source_of(text)}"'
    return [Problem(Where(item.key), text, wrong, meant, warning=entry is not None)]


def _is_file(item: Given) -> bool:
    try:
        return (item.notes.folder / item.text).is_file()
    except OSError:
        return False
