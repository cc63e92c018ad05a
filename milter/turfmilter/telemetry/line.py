"""Formats one Record, or one notice of the program itself, as one line of the log, in text or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from json import dumps

from turfmilter.core.escape import escape
from turfmilter.core.ports import Level
from turfmilter.core.report import MOST_SHOWN, Record

# The keys of a line in their order, each with the value that means absent; the queue id precedes them.
_KEYS = tuple(Record._field_defaults.items())[1:]
_PLAIN = re.compile(r"[A-Za-z0-9@._:/+*!%\[\]-]+")  # needs no quotes
_MAX_VALUE_OCTETS = 224  # octets of one value, so that all 32 possible values fit into 8 KiB
_MAX_NOTICE_OCTETS = 4096  # octets
_CUT = r"\..."  # marks a cut; unambiguous, because escaped text has every backslash of its own doubled


@dataclass(frozen=True, slots=True)
class Form:
    """The two functions that format lines, chosen by the key `[log] format`."""

    record: Callable[[Record], str]
    notice: Callable[[Level, str], str]


def text(record: Record) -> str:
    """The queue id, then key=value pairs; quoted and escaped, so that no client can forge a line."""
    pairs = " ".join([f"{key}={_text(value)}" for key, value in _present(record)])
    return f"{_quoted(record.queue_id or 'NOQUEUE')}: {pairs}"


def json(record: Record) -> str:
    """A record as a JSON object.  Strings are escaped as in `text`, because JSON cannot represent raw bytes."""
    return _object({"queue_id": _fitted(record.queue_id or "NOQUEUE"), **{k: _json(v) for k, v in _present(record)}})


def text_notice(level: Level, said: str) -> str:
    """A notice of the program itself, for example "info: generation 42: turf +3 -1"."""
    return f"{level}: {_fitted(said, _MAX_NOTICE_OCTETS)}"


def json_notice(level: Level, said: str) -> str:
    """A notice of the program itself as a JSON object."""
    return _object({"level": level, "text": _fitted(said, _MAX_NOTICE_OCTETS)})


TEXT = Form(text, text_notice)
JSON = Form(json, json_notice)


def _present(record: Record) -> list[tuple[str, object]]:
    return [(key, value) for (key, absent), value in zip(_KEYS, record[1:], strict=True) if value != absent]


def _text(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value) if value else "<>"  # only a sender can be present and empty (RFC 5321 §4.5.5)
    if isinstance(value, tuple):
        return ",".join([_quoted(item) for item in value[:MOST_SHOWN]])
    return str(value)


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [_fitted(item) for item in value[:MOST_SHOWN]]
    return _fitted(value) if isinstance(value, str) else value


def _quoted(value: str) -> str:
    if len(value) <= _MAX_VALUE_OCTETS and _PLAIN.fullmatch(value):  # almost always: nothing to escape or cut
        return value
    shown = _fitted(value)
    if _PLAIN.fullmatch(shown):
        return shown
    return '"' + shown.replace('"', '\\"') + '"'


def _fitted(value: str, room: int = _MAX_VALUE_OCTETS) -> str:
    """`value` escaped; if that takes more than `room` octets, cut and marked."""
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
    # Both forms put a backslash in front of quotes, and JSON doubles the backslashes of our escapes.
    return len(shown.encode()) + shown.count("\\") + shown.count('"')


def _object(values: dict[str, object]) -> str:
    return dumps(values, ensure_ascii=False)
