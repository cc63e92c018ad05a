"""What is different between two configurations, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turfmilter.config.connect import ConnectConfig
from turfmilter.config.schema import Config
from turfmilter.config.setting import Times, sections, settings
from turfmilter.core.clients import ClientTable
from turfmilter.core.hosts import HostTable
from turfmilter.core.senders import SenderTable

_LISTS = ("allow", "deny")
_TABLES = (ClientTable, HostTable, SenderTable)


def difference(old: Config, new: Config) -> str:
    """How many entries came and went where (`turf +3 -1`), and which other keys have another value."""
    before, after = dict(_values(old)), dict(_values(new))
    counted, others = [], []
    for path in dict.fromkeys((*after, *before)):
        counts = _counts(after.get(path), before.get(path))
        if counts is None and after.get(path) != before.get(path):
            others.append(path)
        elif counts and counts != (0, 0):
            counted.append(f"{path.removesuffix('.tables')} +{counts[0]} -{counts[1]}")
    return ", ".join([*counted, *others]) or "no change"


def _counts(new: object, old: object) -> tuple[int, int] | None:
    """Entries that came and that went; None for what has none."""
    if isinstance(new, _TABLES) and isinstance(old, _TABLES):
        return new.changes(old)  # type: ignore[arg-type]
    if isinstance(new, _TABLES) or isinstance(old, _TABLES):
        return len(new) if isinstance(new, _TABLES) else 0, len(old) if isinstance(old, _TABLES) else 0
    return None


def _values(section: Any, above: str = "") -> Iterator[tuple[str, object]]:
    """Every key path within a section and below, with its value; what a listener does not override is left out."""
    if isinstance(section, ConnectConfig):  # both of its lists are one table
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
