"""A configuration with single entries added or removed, to see what they would do before they are in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from turfmilter.config.schema import Config
from turfmilter.config.sections.connect import ConnectConfig
from turfmilter.config.sections.listener import ListenerConfig
from turfmilter.config.sections.turf import TurfConfig
from turfmilter.core.escape import escape
from turfmilter.core.table.entries import Source
from turfmilter.core.table.entry import Entry, Problem, Where, parse_entry, parse_line
from turfmilter.core.table.pattern import parse_sender
from turfmilter.core.table.senders import SenderTable
from turfmilter.core.table.survey import twins

ADDED = "--turf-add"  # where an added entry is, in findings
DENIED = "--deny"


class NotAmended(Exception):
    """An entry is invalid, or is not in any table; the text says what is wrong, and is escaped."""


def amended(
    config: Config, *, turf_add: Sequence[str] = (), turf_remove: Sequence[str] = (), deny: Sequence[str] = ()
) -> Config:
    """Return `config`, with the tables loaded, as if these entries were in it or not.  Raises NotAmended.

    `turf_add` and `turf_remove` are entries of [turf] tables, `deny` of [connect] deny; they apply to every listener.
    """
    tables = [config.turf.tables, *(listener.turf.tables for listener in config.listener.values())]
    missing = [entry for entry in turf_remove if not any(_has(table, entry) for table in tables)]
    if missing:
        raise NotAmended(f'"{escape(missing[0])}" is not in any turf table')
    listeners = {name: _amended(one, turf_add, turf_remove, deny) for name, one in config.listener.items()}
    return replace(_amended(config, turf_add, turf_remove, deny), listener=listeners)


S = TypeVar("S", Config, ListenerConfig)


def _amended(section: S, add: Sequence[str], remove: Sequence[str], deny: Sequence[str]) -> S:
    return replace(section, turf=_turf(section.turf, add, remove), connect=_connect(section.connect, deny))


def _turf(turf: TurfConfig, add: Sequence[str], remove: Sequence[str]) -> TurfConfig:
    if not (add or remove):
        return turf
    kept = filter(None, (_without(source, remove) for source in turf.tables.sources))
    tables = SenderTable([*kept, *(Source(ADDED, entry) for entry in add)])
    _refuse(tables.problems, ADDED)
    return replace(turf, tables=tables)


def _connect(connect: ConnectConfig, deny: Sequence[str]) -> ConnectConfig:
    if not deny:
        return connect
    denying = replace(connect, deny=(*connect.deny, *(Source(DENIED, entry) for entry in deny)))
    _refuse(denying.clients.problems, DENIED)
    return denying


def _refuse(problems: Iterable[Problem], place: str) -> None:
    wrong = [problem for problem in problems if not problem.warning and problem.where.source == place]
    if wrong:
        raise NotAmended(escape(str(wrong[0])))


def _has(table: SenderTable, entry: str) -> bool:
    return any(_lines(source, entry) for source in table.sources)


def _without(source: Source, entries: Sequence[str]) -> Source | None:
    """Return `source` without the lines that mean the same as one of `entries`; None if nothing is left."""
    gone = {line for entry in entries for line in _lines(source, entry)}
    if not gone:
        return source
    if not source.comments:
        return None
    # Empty lines, so that all others keep their numbers.
    lines = source.text.split("\n")
    return replace(source, text="\n".join("" if at in gone else line for at, line in enumerate(lines, 1)))


def _lines(source: Source, entry: str) -> set[int]:
    """Return the numbers of the lines of `source` that mean the same as `entry`."""
    meant = _parsed(entry)
    if source.comments:
        return {found.where.line for found in twins(source.name, source.text, meant)}
    found, _ = parse_entry(source.text, Where(source.name), parse_sender) if not source.made else (None, [])
    same = found is not None and (found.pattern, found.exception) == (meant.pattern, meant.exception)
    return {0} if same else set()


def _parsed(entry: str) -> Entry:
    meant, problems = parse_line(entry, Where("--turf-remove"), parse_sender)
    if meant is None:
        raise NotAmended(escape(str(problems[0])) if problems else f'"{escape(entry)}" is not an entry')
    return meant
