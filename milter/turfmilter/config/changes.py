"""The differences between two configurations, for the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from turfmilter.config.schema import Config
from turfmilter.config.sections.connect import ConnectConfig
from turfmilter.config.setting import Times, sections, settings
from turfmilter.core.clients import ClientTable
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.senders import SenderTable

_LISTS = ("allow", "deny")
_FEW = 20  # entries; a smaller table may well lose most of them in one edit
Table = ClientTable | HostTable | SenderTable
_TABLES = (ClientTable, HostTable, SenderTable)


def difference(old: Config, new: Config) -> str:
    """Return one line: how many entries each table gained and lost (`turf +3 -1`), and which other keys changed."""
    before, after = dict(_values(old)), dict(_values(new))
    counted, others = [], []
    for path in dict.fromkeys((*after, *before)):
        counts = _counts(after.get(path), before.get(path))
        if counts is None and after.get(path) != before.get(path):
            others.append(path)
        elif counts and counts != (0, 0):
            counted.append(f"{path.removesuffix('.tables')} +{counts[0]} -{counts[1]}")
    return ", ".join([*counted, *others]) or "no change"


def shrunken(old: Config, new: Config) -> tuple[str, ...]:
    """Return messages about tables that are suddenly empty or have lost most of their entries, probably by mistake."""
    before, after = dict(_values(old)), dict(_values(new))
    found: dict[str, None] = {}
    for path, table in before.items():
        now = after.get(path)
        if isinstance(table, _TABLES) and isinstance(now, _TABLES) and now is not table:
            found |= dict.fromkeys(_losses(path, table, now))
    return tuple(found)


def sizes(config: Config, today: date) -> dict[str, int]:
    """Return how many entries each table has at least that have not expired, for `losses` later.

    A table is named by its key path; of several files, each is named as well.
    """
    return {name: max(0, count - table.expired(today)) for name, count, table in _counted(config)}


def losses(before: Mapping[str, int], now: Config) -> tuple[str, ...]:
    """Return messages about tables, or files of them, that have lost more than half of their entries, and more than 20.

    `before` are the `sizes` of an earlier configuration.  Entries that have expired since are still there, and so are
    not lost.
    """
    counts = {name: count for name, count, _ in _counted(now)}
    lost = [name for name, size in before.items() if _is_loss(size, counts.get(name, 0))]
    of_files = {name.partition(": ")[0] for name in lost if ": " in name}
    return tuple(
        f"{name} has lost {before[name] - counts.get(name, 0)} of {before[name]} entries; if this is intended, run:"
        " turfctl reload --may-shrink"
        for name in lost
        if name not in of_files
    )


def _is_loss(before: int, now: int) -> bool:
    return before - now > _FEW and now * 2 < before


def _counted(config: Config) -> Iterator[tuple[str, int, Table]]:
    """Yield each table with the number of all its entries, and each of its files if there are several."""
    for path, table in _values(config):
        if isinstance(table, _TABLES):
            yield path, len(table), table
            if len(table.sizes) > 1:
                yield from ((f"{path}: {file}", count, table) for file, count in table.sizes.items())


def tables(config: Config) -> dict[str, Table]:
    """Return the tables of a configuration by the key path that `difference` writes for them."""
    values = _values(config)
    return {path.removesuffix(".tables"): value for path, value in values if isinstance(value, _TABLES)}


def _losses(path: str, old: Table, new: Table) -> Iterator[str]:
    """Yield a message for each file that lost too much; if there is none, one about the table as a whole."""
    files = old.sizes.keys() & new.sizes.keys()
    said = [_loss(f"{path}: {file}", old.sizes[file], new.sizes[file]) for file in sorted(files)]
    whole = f"{path} ({', '.join(sorted(old.sizes))})" if old.sizes else path
    yield from filter(None, said if any(said) else [_loss(whole, len(old), len(new))])


def _loss(what: str, before: int, now: int) -> str:
    if now == 0 < before:
        return f"{what} is now empty: {before} {'entry is' if before == 1 else 'entries are'} gone; is this intended?"
    if before >= _FEW and now * 2 < before:
        return f"{what} has lost {before - now} of {before} entries; is this intended?"
    return ""


def _counts(new: object, old: object) -> tuple[int, int] | None:
    """Return how many entries were added and removed; None if neither value is a table."""
    if isinstance(new, _TABLES) and isinstance(old, _TABLES):
        return new.changes(old)  # type: ignore[arg-type]
    if isinstance(new, _TABLES) or isinstance(old, _TABLES):
        return len(new) if isinstance(new, _TABLES) else 0, len(old) if isinstance(old, _TABLES) else 0
    return None


def _values(section: Any, above: str = "") -> Iterator[tuple[str, object]]:
    """Yield every key path in a section and below with its value; keys that a listener inherits are left out."""
    if isinstance(section, ConnectConfig):  # its two lists are one table
        yield above.removesuffix("."), section.clients
    for name in settings(type(section)):
        if not (isinstance(section, ConnectConfig) and name in _LISTS):
            yield f"{above}{name}", getattr(section, name)
    for name, inner in sections(type(section)).items():
        value, path = getattr(section, name), f"{above}{name}"
        if inner.times is Times.ONCE:
            yield from _values(value, f"{path}.")
        elif inner.times is Times.REPEATED:
            for number, one in enumerate(value):
                yield from _values(one, f"{path}[{number}].")
        else:
            general = {
                key: value
                for outer in sections(inner.cls)
                for key, value in _values(getattr(section, outer), f"{outer}.")
            }
            for key, one in value.items():
                own = ((inside, value) for inside, value in _values(one) if general.get(inside, one) is not value)
                yield from ((f"{path}.{key}.{inside}", value) for inside, value in own)
