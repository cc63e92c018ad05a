"""The digest: a report for the administrator about what was held recently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from turfmilter.core.escape import escape
from turfmilter.core.held.selection import Selection
from turfmilter.review.quarantines import Found, Quarantines

_MAX_LISTED_MESSAGES = 200  # messages that are listed one by one; no one reads a longer report


def digest(quarantines: Quarantines, since: datetime) -> str:
    """Return the report as text: new senders first, then the others, grouped by entry; "" if nothing was held."""
    held = quarantines.newest(Selection(since=since))
    if not held:
        return ""
    earlier = {one.summary.sender for one in quarantines.newest(Selection(before=since))}
    new = [one for one in held if one.summary.sender not in earlier]
    known = [one for one in held if one.summary.sender in earlier]
    return "\n".join(
        [
            f"{_counted(held)} held since {since:%Y-%m-%d %H:%M} UTC, {len(new)} from new senders.",
            "",
            *_section("NEW SENDERS", new),
            *_section("OTHERS", known),
            "Show one:         turfctl show ID",
            "All of a sender:  turfctl release --sender ADDRESS",
            "",
        ]
    )


def _counted(held: list[Found]) -> str:
    return "1 message" if len(held) == 1 else f"{len(held)} messages"


def _section(title: str, held: list[Found]) -> Iterator[str]:
    if not held:
        return
    yield title
    groups: dict[str, list[Found]] = defaultdict(list)
    for one in held[:_MAX_LISTED_MESSAGES]:
        groups[one.summary.entry].append(one)
    for entry, some in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield ""
        yield f"  {escape(entry) or 'no entry'} ({len(some)})"
        yield from _lines(some)
    if len(held) > _MAX_LISTED_MESSAGES:
        yield f"  … and {len(held) - _MAX_LISTED_MESSAGES} more: turfctl list"
    yield ""


def _lines(held: Iterable[Found]) -> Iterator[str]:
    for one in held:
        summary = one.summary
        yield ""
        yield f"    {summary.time:%Y-%m-%d %H:%M}  from <{escape(summary.sender or '')}>"
        yield f"      to       {escape(', '.join(summary.recipients))}"
        yield f"      subject  {escape(summary.subject)}"
        yield f"      turfctl release {one.place.message.id}"
