"""One line of the ledger, and its form in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from json import dumps, loads
from typing import Any, NamedTuple

# No value can contain what these match: quotes in values are escaped.
_ID = re.compile(rb'"id": ("(?:[^"\\]|\\.)*")')
_ATTEMPT = re.compile(rb'"attempt": "([0-9a-f]*)"')
INTENT, OUTCOME = "intent", "outcome"  # values of Line.stage


@dataclass(frozen=True, slots=True)
class Line:
    """What an administrator is about to do (`stage` "intent"), or its result ("outcome").

    `time` is RFC 3339 in UTC, `who` the login name, `uid` its number, `origin` the terminal or host it came from.
    `attempt` joins an outcome to its intent.  `replies` are the MTA's own words, one for each of `recipients`.
    Older ledgers have a single line, with the stage "done", for each act other than a release; it was written before
    the act.
    """

    time: str
    who: str
    uid: int
    origin: str
    act: str
    stage: str
    id: str
    attempt: str = ""
    recipients: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    note: str = ""


class Mark(NamedTuple):
    """How far a ledger has been read, in the store's own terms: the number of its file, and an offset in it."""

    inode: int = 0
    offset: int = 0


class LedgerError(Exception):
    """The ledger cannot be written or read: what depends on a line in it must not be done."""


def encode_line(line: Line) -> bytes:
    """Return `line` as one JSON object in ASCII, with its newline."""
    return dumps(asdict(line)).encode() + b"\n"


def parse_line(data: bytes) -> Line | None:
    """Return the line in `data`, None if it is damaged."""
    try:
        fields: dict[str, Any] = loads(data)
        lists = {key: fields.pop(key, []) for key in ("recipients", "replies")}
        if not all(isinstance(value, list) for value in lists.values()):
            return None
        line = Line(**fields | {key: tuple(value) for key, value in lists.items()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    texts = (getattr(line, name) for name in ("time", "who", "origin", "act", "stage", "id", "attempt", "note"))
    whole = all(isinstance(text, str) for text in (*texts, *line.recipients, *line.replies))
    return line if whole and isinstance(line.uid, int) else None


def encode_ids(ids: Iterable[str]) -> dict[bytes, str]:
    """Return `ids` by their form in a line, for `parse_line_about`."""
    return {dumps(id).encode(): id for id in ids}


def parse_line_about(data: bytes, wanted: Mapping[bytes, str]) -> Line | None:
    """Return the line in `data` if it is about one of the messages in `wanted`, else None."""
    # Most lines are about other messages: parsing all of them would take ten times as long.
    id = _ID.search(data)
    line = parse_line(data) if id and id[1] in wanted else None
    return line if line is not None and id and wanted[id[1]] == line.id else None


def unfinished(lines: Iterable[bytes], act: str) -> set[str]:
    """Return the ids of the messages about which `lines` have an intent to `act` without an outcome."""
    of_act, intent = (f'"{key}": {dumps(value)}'.encode() for key, value in (("act", act), ("stage", INTENT)))
    begun: dict[bytes, bytes] = {}
    for data in lines:  # only what is left is parsed: a ledger may have a line for each message of years
        attempt = _ATTEMPT.search(data) if of_act in data else None
        if attempt and intent in data:
            begun[attempt[1]] = data
        elif attempt:
            begun.pop(attempt[1], None)
    return {line.id for line in map(parse_line, begun.values()) if line}
