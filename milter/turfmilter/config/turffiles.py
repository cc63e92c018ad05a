"""Which files the turf tables are made of: those that turfctl can edit."""

from __future__ import annotations

from pathlib import Path

from turfmilter.config.loader import parsed

_FILE = "file:"


def every_turf_file(path: Path) -> tuple[Path, ...]:
    """The files that `tables` of [turf] names in the configuration `path`, and of every listener after that.

    Raises ConfigError when it is no TOML; what else may be wrong in it is not looked at.
    """
    listeners = parsed(path).get("listener")
    names = listeners if isinstance(listeners, dict) else ()
    return tuple(dict.fromkeys(file for name in ("", *names) for file in turf_files(path, name)))


def turf_files(path: Path, listener: str) -> tuple[Path, ...]:
    """The files of the tables that a message at `listener` is looked up in; "" is no listener.  Raises ConfigError."""
    table = parsed(path)
    listeners = table.get("listener")
    own = _tables(listeners.get(listener)) if isinstance(listeners, dict) else None
    items = _tables(table) if own is None else own
    names = (item.strip() for item in items if isinstance(item, str)) if isinstance(items, list) else ()
    folder = path.absolute().parent
    return tuple(folder / name[len(_FILE) :].strip() for name in names if name.lower().startswith(_FILE))


def _tables(section: object) -> object:
    """What is written there; None where a listener has none of its own, and shares the general ones."""
    turf = section.get("turf") if isinstance(section, dict) else None
    return turf.get("tables") if isinstance(turf, dict) else None
