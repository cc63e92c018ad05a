"""The digest: what was held since the last one, as a letter to the administrator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from turfmilter.core.escape import escape
from turfmilter.review.quarantines import Quarantines
from turfmilter.stores.rows import Held
from turfmilter.stores.selection import Selection

_MAX_LISTED_MESSAGES = 200  # messages that are named one by one; a longer letter is read by nobody


def digest(quarantines: Quarantines, since: datetime) -> str:
    """Plain text: new senders first, then the others, by the entry that holds them; "" when nothing was held."""
    held = quarantines.newest(Selection(since=since))
    if not held:
        return ""
    earlier = {one.summary.sender for one in quarantines.newest(Selection(before=since))}
    new = [one for one in held if one.summary.sender not in earlier]
    known = [one for one in held if one.summary.sender in earlier]
    return "\n".join(
        [
            f"Held since {since:%Y-%m-%d %H:%M} UTC: {len(held)}, {len(new)} of them from senders never held before.",
            "",
            *_section("NEW SENDERS", new),
            *_section("OTHERS", known),
            "Look at one:      turfctl quarantine show ID",
            "All of a sender:  turfctl quarantine release --sender ADDRESS",
            "",
        ]
    )


def _section(title: str, held: list[Held]) -> Iterator[str]:
    if not held:
        return
    yield title
    groups: dict[str, list[Held]] = defaultdict(list)
    for one in held[:_MAX_LISTED_MESSAGES]:
        groups[one.summary.entry].append(one)
    for entry, some in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield ""
        yield f"  {escape(entry) or 'no entry'} ({len(some)})"
        yield from _lines(some)
    if len(held) > _MAX_LISTED_MESSAGES:
        yield f"  … and {len(held) - _MAX_LISTED_MESSAGES} more: turfctl quarantine list"
    yield ""


def _lines(held: Iterable[Held]) -> Iterator[str]:
    for one in held:
        summary = one.summary
        yield ""
        yield f"    {summary.time:%Y-%m-%d %H:%M}  from <{escape(summary.sender or '')}>"
        yield f"      to       {escape(', '.join(summary.recipients))}"
        yield f"      subject  {escape(summary.subject)}"
        yield f"      turfctl quarantine release {one.place.file.id}"
