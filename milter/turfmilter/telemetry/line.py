"""One Record, or one sentence of the program's own, as one line of the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from json import dumps

from turfmilter.core.escape import escape
from turfmilter.core.ports import Level
from turfmilter.core.report import Record

# The keys of policy.md in their order, each with the value that means absent; the queue id stands before them.
_KEYS = tuple(Record._field_defaults.items())[1:]
_PLAIN = re.compile(r"[A-Za-z0-9@._:/+*!%\[\]-]+")  # needs no quotes
_MAX_LIST_ITEMS = 10  # items of a list; nrcpt says how many recipients there are
_MAX_VALUE_OCTETS = 224  # octets of one value: the 32 values that there can be then fit into 8 KiB
_MAX_NOTICE_OCTETS = 4096
_CUT = r"\..."  # no escaped text holds this: a backslash of its own is doubled


@dataclass(frozen=True, slots=True)
class Form:
    """How lines are written: `[log] format`."""

    record: Callable[[Record], str]
    notice: Callable[[Level, str], str]


def text(record: Record) -> str:
    """The queue id, then key=value pairs; quoted and escaped, so that nobody outside can forge a line."""
    pairs = " ".join([f"{key}={_text(value)}" for key, value in _present(record)])
    return f"{_quoted(record.queue_id or 'NOQUEUE')}: {pairs}"


def json(record: Record) -> str:
    """The same as a JSON object.  Its strings are escaped as in `text`: JSON has no form for raw bytes."""
    return _object({"queue_id": _fitted(record.queue_id or "NOQUEUE"), **{k: _json(v) for k, v in _present(record)}})


def text_notice(level: Level, said: str) -> str:
    """A sentence of the program's own, e.g. "info: generation 42: turf +3 -1"."""
    return f"{level}: {_fitted(said, _MAX_NOTICE_OCTETS)}"


def json_notice(level: Level, said: str) -> str:
    """The same as a JSON object."""
    return _object({"level": level, "text": _fitted(said, _MAX_NOTICE_OCTETS)})


TEXT = Form(text, text_notice)
JSON = Form(json, json_notice)


def _present(record: Record) -> list[tuple[str, object]]:
    return [(key, value) for (key, absent), value in zip(_KEYS, record[1:], strict=True) if value != absent]


def _text(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value) if value else "<>"  # only the sender can be empty and yet be there
    if isinstance(value, tuple):
        return ",".join([_quoted(item) for item in value[:_MAX_LIST_ITEMS]])
    return str(value)


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [_fitted(item) for item in value[:_MAX_LIST_ITEMS]]
    return _fitted(value) if isinstance(value, str) else value


def _quoted(value: str) -> str:
    if len(value) <= _MAX_VALUE_OCTETS and _PLAIN.fullmatch(value):  # nearly all: nothing to escape and nothing to cut
        return value
    shown = _fitted(value)
    if _PLAIN.fullmatch(shown):
        return shown
    return '"' + shown.replace('"', '\\"') + '"'


def _fitted(value: str, room: int = _MAX_VALUE_OCTETS) -> str:
    """`value` escaped, and cut with a mark where it needs more than `room` octets."""
    if len(value) <= room and _octets(escape(value)) <= room:
        return escape(value)
    kept = []
    for char in value:
        shown = escape(char)
        room -= _octets(shown)
        if room < 0:
            break
        kept.append(shown)
    return "".join(kept) + _CUT


def _octets(shown: str) -> int:
    # In both forms quotes get a backslash, and JSON doubles the backslashes of ours.
    return len(shown.encode()) + shown.count("\\") + shown.count('"')


def _object(values: dict[str, object]) -> str:
    return dumps(values, ensure_ascii=False)
