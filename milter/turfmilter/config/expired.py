"""Warnings about entries that have expired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from turfmilter.core.table.entries import Source
from turfmilter.core.table.entry import Entry, Parse, Problem, Where, parse_entry, parse_line

_EXPIRES = re.compile(r"(?<!\S)expires=\"?(\d{4}-\d\d-\d\d)")


def expired(sources: Iterable[Source], parse: Parse, today: date) -> Iterator[Problem]:
    """Yield a warning for each source with expired entries: it names the first one, and how many more there are."""
    for source in sources:
        found = list(_entries(source, parse, today))
        if found:
            first, more = found[0], f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            meant = f"remove it, or write a later day{more}"
            yield Problem(first.where, first.text, f"expired after {first.expires}", meant, warning=True)


def _entries(source: Source, parse: Parse, today: date) -> Iterator[Entry]:
    # Most lines have no date.  One search of the whole text finds those that do; only past dates are parsed.
    past = [match.start() for match in _EXPIRES.finditer(source.text) if match[1] < today.isoformat()]
    number, position = 1, 0
    for start in past:
        number += source.text.count("\n", position, start)
        position = start
        line = source.text[source.text.rfind("\n", 0, start) + 1 :].partition("\n")[0]
        place = Where(source.name, number if source.comments else 0)
        entry, _ = (parse_line if source.comments else parse_entry)(line, place, parse)
        if entry and not entry.valid_on(today):
            yield entry
