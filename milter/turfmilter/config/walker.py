"""The walk over a TOML table: a section of the schema comes out, and every problem is noted on the way."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from turfmilter.config.given import Given, Notes, Wrong, fold, nearest
from turfmilter.config.setting import keys, sections, settings
from turfmilter.config.written import described, quoted

T = TypeVar("T")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # what TOML wants no quotes around


class Walker:
    """Reads sections of the configuration whose outermost dataclass is `schema`."""

    def __init__(self, schema: type[Any], notes: Notes) -> None:
        self._places: dict[str, list[str]] = {}
        for path, _ in keys(schema):
            above, dot, name = path.rpartition(".")
            self._places.setdefault(name, []).append(above + dot)
        self._notes = notes

    def read(self, start: T, table: Mapping[str, object], above: str = "") -> T:
        """`start` with the keys of `table` in place of its own; what is wrong keeps the value of `start`.

        `above` is the path of the section, with a dot behind it.
        """
        cls = type(start)
        values: dict[str, object] = {}
        for name, value in table.items():
            path = f"{above}{name if _BARE_KEY.fullmatch(name) else quoted(name)}"
            self._notes.written.add(path)
            try:
                if name in settings(cls):
                    values[name] = settings(cls)[name].kind.read(Given(value, path, self._notes))
                elif name in sections(cls):
                    values[name] = self._section(getattr(start, name), value, path)
                else:
                    raise Wrong(self._unknown(cls, name, value, above))
            except Wrong as wrong:
                self._notes.problem(path, wrong)
        return cast(T, replace(cast(Any, start), **values))

    def _section(self, start: T, value: object, path: str) -> T:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            raise Wrong(f"a section that stands once; write [{path}] instead of [[{path}]]")
        if not isinstance(value, dict):
            raise Wrong(f"{described(value)} is not a section; write [{path}] and its keys on the lines below it")
        return self.read(start, value, f"{path}.")

    def _unknown(self, cls: type[Any], name: str, value: object, above: str) -> str:
        """What to say of a name that this section does not have."""
        if isinstance(value, dict):
            return f"unknown section{self._guess(name, sections(cls), above)}"
        near, folded = nearest(name, settings(cls)), fold(name)
        if near != folded:  # otherwise it is a key of this section in another spelling
            word = folded if folded in self._places else None if near else nearest(name, self._places)
            if word:
                return f"unknown key {_place(above)}; {self._stands(word)}"
        return f"unknown key{self._guess(name, settings(cls), above)}"

    def _guess(self, name: str, known: Collection[str], above: str) -> str:
        near = nearest(name, known)
        if near:
            self._notes.broken.add(f"{above}{near}")
            return f"; {quoted(near)} was probably meant"
        return f"; known are {', '.join(known)}" if known else f"; [{above.rstrip('.')}] has no sections"

    def _stands(self, word: str) -> str:
        """Where the key `word` belongs.  What was meant for it did not arrive, so nothing more is said about it."""
        places = self._places[word]
        self._notes.broken.update(f"{above}{word}" for above in places)
        return f"{word} stands {' or '.join(map(_place, places))}"


def _place(above: str) -> str:
    return f"in [{above.rstrip('.')}]" if above else "at the top level, before the first [section]"
