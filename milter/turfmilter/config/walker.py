"""Converts a TOML table to a section of the schema, and collects every problem in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from turfmilter.config.given import Given, Notes, Wrong, described, fold, nearest, quoted
from turfmilter.config.hints import key_of
from turfmilter.config.setting import Kind, Section, Times, Unread, header, keys, sections, settings

T = TypeVar("T")
Places = dict[str, list[str]]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # a key that TOML accepts without quotes
_BELOW = "and its keys on the lines below it"


class Walker:
    """Reads sections of the configuration whose outermost dataclass is `schema`."""

    def __init__(self, schema: type[Any], notes: Notes) -> None:
        self._places = _places(schema, "")
        self._notes = notes

    def read(self, start: T, table: Mapping[str, object], above: str = "") -> T:
        """Return `start` with the keys of `table` replaced; a key whose value is wrong keeps that of `start`.

        `above` is the path of the section, followed by a dot.
        """
        cls = type(start)
        values: dict[str, object] = {}
        for name, value in _overriding_last(cls, table):
            path = f"{above}{name if _BARE_KEY.fullmatch(name) else quoted(name)}"
            self._notes.written.add(path)
            try:
                if name in settings(cls):
                    values[name] = self._value(settings(cls)[name].kind, value, path)
                elif name in sections(cls):
                    values[name] = self._section(sections(cls)[name], _replaced(start, values), value, path)
                else:
                    raise Wrong(self._unknown(cls, name, value, above))
            except Wrong as wrong:
                self._notes.problem(path, wrong)
        return _replaced(start, values)

    def _value(self, kind: Kind[Any], value: object, path: str) -> object:
        if kind.table and not self._notes.tables:
            return Unread(path)
        return kind.read(Given(value, path, self._notes))

    def _section(self, section: Section, around: object, value: object, path: str) -> object:
        """Return the value of `path`, which is a section of `around`."""
        match section.times:
            case Times.ONCE:
                return self._once(getattr(around, path.rpartition(".")[2]), value, path)
            case Times.REPEATED:
                return self._repeated(section.cls, value, path)
            case Times.NAMED:
                return self._named(section.cls, around, value, path)

    def _once(self, start: T, value: object, path: str) -> T:
        if _is_section(value) and isinstance(value, list):
            raise Wrong(f"a section that may appear only once; write [{path}] instead of [[{path}]]")
        if not isinstance(value, dict):
            raise Wrong(f"{described(value)} is not a section; write [{path}] {_BELOW}")
        return self.read(start, value, f"{path}.")

    def _repeated(self, cls: type[T], value: object, path: str) -> tuple[T, ...]:
        if isinstance(value, dict):
            raise Wrong(f"a section that may appear several times; write [[{path}]] instead of [{path}]")
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Wrong(f"{described(value)} is not a section; write [[{path}]] {_BELOW}")
        return tuple(self.read(cls(), table, f"{path}[{number}].") for number, table in enumerate(value))

    def _named(self, cls: type[T], around: object, value: object, path: str) -> dict[str, T]:
        """Return the sections below `path` by name.  Each starts with the sections of `around` that it may override."""
        if not isinstance(value, dict):
            raise Wrong(f"every section of this kind has a name; write [{path}.NAME] {_BELOW}")
        start = cls(**{name: getattr(around, name) for name in sections(cls)})
        found = {}
        for name, table in value.items():
            if not _BARE_KEY.fullmatch(name):
                self._notes.problem(f"{path}.{quoted(name)}", 'a name consists of letters, digits, "-" and "_"')
            elif not isinstance(table, dict):
                missing = f"the name is missing; write [{path}.NAME] above this key"
                other = f"{described(table)} is not a section; write [{path}.{name}] {_BELOW}"
                self._notes.problem(f"{path}.{name}", missing if name in settings(cls) else other)
            else:
                found[name] = self.read(start, table, f"{path}.{name}.")
        return found

    def _unknown(self, cls: type[Any], name: str, value: object, above: str) -> str:
        """Return the message about a name that this section does not have."""
        if _is_section(value):
            return f"unknown section{self._guess(name, 'sections', sections(cls), above)}"
        places = self._places | _places(cls, above)  # a section below this one is more likely meant than one elsewhere
        path = "" if fold(name) in places else key_of(name)
        if path:
            self._notes.broken.add(path)  # as in _belongs
            section, dot, key = path.rpartition(".")
            return f"unknown key; write {key} {_place(section + dot)}"
        near, folded = nearest(name, settings(cls)), fold(name)
        if near != folded:  # otherwise it is a key of this section in another spelling
            word = folded if folded in places else None if near else nearest(name, places)
            if word:
                return f"unknown key {_place(above)}; {self._belongs(word, places[word])}"
        return f"unknown key{self._guess(name, 'keys', settings(cls), above)}"

    def _guess(self, name: str, what: str, known: Collection[str], above: str) -> str:
        near = nearest(name, known)
        if near:
            self._notes.broken.add(f"{above}{near}")
            return f"; {quoted(near)} was probably meant"
        return f"; known {what}: {', '.join(known)}" if known else f"; {header(above.rstrip('.'))} has no {what}"

    def _belongs(self, word: str, places: list[str]) -> str:
        """Return where the key `word` belongs.  Its intended value is missing, so no further problem is reported."""
        self._notes.broken.update(f"{above}{word}" for above in places)
        return f"{word} belongs {' or '.join(map(_place, places))}"


def _replaced(start: T, values: Mapping[str, object]) -> T:
    return cast(T, replace(cast(Any, start), **values))


def _overriding_last(cls: type[Any], table: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return the items of `table`, with sections that override others after these."""
    last = {name for name, section in sections(cls).items() if section.times is Times.NAMED}
    return sorted(table.items(), key=lambda item: item[0] in last)


def _is_section(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _places(cls: type[Any], above: str) -> Places:
    """Return, for every key in `cls` and below, the paths of the sections that have it, each followed by a dot."""
    places: Places = {}
    for path, _ in keys(cls, above):
        section, dot, name = path.rpartition(".")
        places.setdefault(name, []).append(section + dot)
    return places


def _place(above: str) -> str:
    return f"in {header(above.rstrip('.'))}" if above else "at the top level, before the first [section]"
