"""Which files the turf table is made of: those that turfctl can edit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from turfmilter.config.loader import parsed

_FILE = "file:"


def turf_files(path: Path) -> tuple[Path, ...]:
    """The files that `tables` of [turf] names in the configuration `path`, and of every listener after that.

    Raises ConfigError when it is no TOML; what else may be wrong in it is not looked at.
    """
    table = parsed(path)
    listeners = table.get("listener")
    sections = [table, *(listeners.values() if isinstance(listeners, dict) else ())]
    folder = path.absolute().parent
    return tuple(dict.fromkeys(folder / name for section in sections for name in _named(section)))


def _named(section: object) -> Iterator[str]:
    turf = section.get("turf") if isinstance(section, dict) else None
    tables = turf.get("tables") if isinstance(turf, dict) else None
    for item in tables if isinstance(tables, list) else ():
        if isinstance(item, str) and item.strip().lower().startswith(_FILE):
            yield item.strip()[len(_FILE) :].strip()
