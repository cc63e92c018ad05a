"""The kinds of values that are tables: lists of entries and of the files that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from turfmilter.config.given import Given
from turfmilter.config.setting import Kind
from turfmilter.config.sources import read_table
from turfmilter.core.clients import ClientTable
from turfmilter.core.entries import HOSTS, SENDERS, Entries, Language, Source
from turfmilter.core.entry import Entry, Problem
from turfmilter.core.hosts import HostTable
from turfmilter.core.pattern import Interval, Name, PatternError, parse_host
from turfmilter.core.plain import plain_interval
from turfmilter.core.senders import SenderTable
from turfmilter.importers.words import Of

_SOURCES = "`file:PATH`, `postfix:PATH` and `sendmail:PATH`"


class Hosts(Kind[HostTable]):
    """A table of our own addresses, of domains or of networks.

    `what` its entries are, in words; `trusted` says that whoever matches may relay; `received` that the domains which
    Postfix receives mail for may be one of the sources.
    """

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
            given.notes.entries(given.key, _open_relay(table.vast))
        return table


class ClientEntries(Kind[tuple[Source, ...]]):
    """Entries about clients, of which more than one key makes a table."""

    words = f"a list of addresses, networks, ranges and names, and of {_SOURCES}"

    def read(self, given: Given) -> tuple[Source, ...]:
        return read_table(given, _Sound, parse_host, Of.CLIENTS).sources


class Clients(Kind[ClientTable]):
    """A table of clients: those who are refused, or those who may relay."""

    words = ClientEntries.words

    def __init__(self, *, refused: bool) -> None:
        self._refused = refused

    def read(self, given: Given) -> ClientTable:
        def make(sources: Iterable[Source]) -> ClientTable:
            return ClientTable(sources, exception_refuses=not self._refused)

        table = read_table(given, make, parse_host, Of.CLIENTS)
        if not self._refused:
            given.notes.entries(given.key, _open_relay(table.vast))
        return table


class Senders(Kind[SenderTable]):
    """A table of mail addresses."""

    words = f"a list of mail addresses and domains, as in a turf table, and of {_SOURCES}"

    def read(self, given: Given) -> SenderTable:
        return read_table(given, SenderTable, SENDERS.parse, Of.SENDERS)


class _Sound:
    """Sources that hold entries, and no error."""

    warnings: Sequence[Problem] = ()

    def __init__(self, sources: Iterable[Source]) -> None:
        given = tuple(sources)
        entries = Entries(given, HOSTS)
        self.sources = given if sum(1 for _ in entries.read()) else ()
        self.problems: Sequence[Problem] = entries.problems


def _parse_address(text: str) -> Interval:
    pattern = parse_host(text)
    if isinstance(pattern, Name):
        raise PatternError("a name where only addresses are compared", "write its address")
    return pattern


_ADDRESSES = Language(_parse_address, plain_interval, plain_interval)


def _open_relay(entries: Iterable[Entry]) -> Iterator[Problem]:
    wrong = "holds much of the Internet: an OPEN RELAY, unless the MTA itself refuses"
    return (Problem(entry.where, entry.text, wrong, warning=True) for entry in entries if not entry.exception)
