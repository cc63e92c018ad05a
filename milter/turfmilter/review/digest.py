"""The digest: a report for the administrator about the open messages that were held recently."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from turfmilter.core.held.message import State, shown_id
from turfmilter.core.held.selection import OPEN, Selection
from turfmilter.review.layout import Row, Screen, counted, full_time, heading, lines
from turfmilter.review.quarantines import Found, Quarantines

_MAX_LISTED_MESSAGES = 200  # messages that are listed one by one; no one reads a longer report
_IDS_PER_LINE = 4  # of a command: mail programs wrap lines of more than 78 columns, and a shell then reads two commands

RowsOf = Callable[[Sequence[Found]], Sequence[Row]]


def digest(quarantines: Quarantines, since: datetime, host: str, rows_of: RowsOf, on: Screen) -> str:
    """Return the report as text: new senders first, then the others, by entry; "" if no open message was held `since`.

    The first line names the `host` and fits into a Subject field.  `rows_of` returns messages as lists show them.
    """
    held = quarantines.newest(Selection(since=since, states=OPEN))
    if not held:
        return ""
    earlier = {one.summary.sender for one in quarantines.newest(Selection(before=since, states=frozenset(State)))}
    new = [one for one in held if one.summary.sender not in earlier]
    known = [one for one in held if one.summary.sender in earlier]
    return "\n".join(
        [
            f"turfmilter {host}: {counted(len(held))} held since {full_time(since)}"
            f" ({_number(new, held)} from new senders)",
            "",
            *heading(on),
            "",
            *_section("NEW SENDERS", new, rows_of, on),
            *_section("OTHERS", known, rows_of, on),
            "Show one:                 turfctl show ID",
            "Decide one by one:        turfctl review",
            "Release all of a sender:  turfctl release --sender ADDRESS",
            "",
        ]
    )


def _number(new: Sequence[Found], held: Sequence[Found]) -> str:
    return "all" if len(new) == len(held) > 1 else str(len(new))


def _section(title: str, held: Sequence[Found], rows_of: RowsOf, on: Screen) -> Iterator[str]:
    if not held:
        return
    yield title
    listed = held[:_MAX_LISTED_MESSAGES]
    groups: dict[str, list[Row]] = defaultdict(list)
    for found, row in zip(listed, rows_of(listed), strict=True):
        groups[found.summary.entry].append(row)
    for entry, rows in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield ""
        yield f"{on.text(entry) or 'no entry'} ({len(rows)})"
        for row in rows:
            yield from lines(row, on)
        yield from _command(rows)
    if len(held) > len(listed):
        yield f"… and {len(held) - len(listed)} more: turfctl list"
    yield ""


def _command(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the command that releases these messages and no others, as one that can be pasted into a shell."""
    ids = [shlex.quote(shown_id(row.id)) for row in rows]
    parts = [" ".join(ids[at : at + _IDS_PER_LINE]) for at in range(0, len(ids), _IDS_PER_LINE)]
    for number, part in enumerate(parts):
        begin = "    " if number else "  turfctl release "
        yield begin + part + (" \\" if number < len(parts) - 1 else "")
