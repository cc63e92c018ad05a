"""A new configuration, made from that of another program: its keys, its tables, and what could not be carried over."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from turfmilter.core.escape import escape
from turfmilter.core.table.entry import Problem, Where

CONFIGURATION = "turfmilter.toml"
Value = str | int | bool | Sequence[str]

# The keys that are tables, in the order in which they are written, and the name of the file of each.
_TABLES = {
    "domains": "domains",
    "connect.deny": "connect.deny",
    "connect.allow": "connect.allow",
    "relay.deny": "relay.deny",
    "relay.allow": "relay.allow",
    "relay.interfaces": "relay.interfaces",
    "relay.always": "relay.always",
    "turf.tables": "turf.table",
}
_SECTIONS = ("", "connect", "relay", "limits", "turf")
_COLUMNS = 98  # of a comment, without its "# "


class Unreadable(Exception):
    """A file that the other program's configuration names cannot be read; the text is the reason."""


@dataclass(frozen=True, slots=True)
class _Key:
    value: Value
    why: str


class Draft:
    """A configuration in the making; `origin` is what it was made from, for the comment at its top.

    `problems` are the lines that could not be carried over, and warnings about what was.
    """

    def __init__(self, origin: str) -> None:
        self.problems: list[Problem] = []
        self._origin = origin
        self._keys: dict[str, _Key] = {}
        self._entries: dict[str, dict[str, Where]] = {}

    def set(self, key: str, value: Value, why: str = "") -> None:
        """Set the key ("relay.default"); `why` is the comment above it."""
        self._keys[key] = _Key(value, why)

    def add(self, table: str, entry: str, where: Where) -> None:
        """Add an entry from `where` to a key that is a table ("relay.allow"); an entry is added only once."""
        self._entries.setdefault(table, {}).setdefault(entry, where)

    def lost(self, where: Where, text: str, wrong: str, meant: str = "") -> None:
        """Report that `text` at `where` is not carried over, why, and what can be done instead."""
        self.problems.append(Problem(where, text, wrong, meant))

    def warn(self, where: Where, text: str, wrong: str, meant: str = "") -> None:
        """Report what is remarkable about `text`, which is carried over."""
        self.problems.append(Problem(where, text, wrong, meant, warning=True))

    def entries(self, table: str) -> Sequence[str]:
        """Return the entries of a table in their order."""
        return tuple(self._entries.get(table, ()))

    def remove(self, table: str) -> None:
        """Remove all entries of a table."""
        self._entries.pop(table, None)

    def require_domains(self) -> None:
        """Turn the relay rule off, and report it, if there is no domain: it would refuse every recipient."""
        if not self.entries("domains"):
            self.set("domains", [])
            self.set("relay.mode", "off", "No domains were found. List yours in domains, and remove this line.")
            meant = "name them with --domain"
            self.lost(Where(self._origin), "domains", "no domain found, so the relay rule is off", meant)

    @property
    def complete(self) -> bool:
        """True if everything was carried over."""
        return all(problem.warning for problem in self.problems)

    def files(self) -> dict[str, str]:
        """Return the texts of the tables and of the configuration by their names, the configuration last."""
        tables = {_TABLES[key]: self._table(key) for key in _TABLES if key in self._entries}
        return {**tables, CONFIGURATION: "\n".join(self._configuration()) + "\n"}

    def _table(self, key: str) -> str:
        lines = [f"{entry}  # {escape(str(where))}" for entry, where in self._entries[key].items()]
        return "\n".join([f"# {key}, made from {escape(self._origin)} by turfctl import.", *lines, ""])

    def _configuration(self) -> Iterator[str]:
        yield f"# Made from {escape(self._origin)} by turfctl import."
        yield from _comment(
            'Keys that are not set here have their defaults. While mode is "trial", nothing is rejected or held; the'
            " log shows what would have been done."
        )
        listed = {key: _Key([f"file:{_TABLES[key]}"], "") for key in self._entries}
        every = {"mode": _Key("trial", ""), **self._keys}
        every |= {key: _Key(made.value, every[key].why if key in every else "") for key, made in listed.items()}
        for section in _SECTIONS:
            of_section = {key: set_to for key, set_to in every.items() if key.rpartition(".")[0] == section}
            if section and of_section:
                yield f"\n[{section}]"
            for key, set_to in of_section.items():
                yield from _comment(set_to.why)
                yield f"{key.rpartition('.')[2]} = {_toml(set_to.value)}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(escape(text), _COLUMNS, break_on_hyphens=False)]


def _toml(value: Value) -> str:
    """Return a value as TOML writes it; strings of JSON in ASCII are strings of TOML, except for DEL."""
    return json.dumps(value if isinstance(value, str | int) else list(value)).replace("\x7f", "\\u007f")
