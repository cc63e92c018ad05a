"""Whether the entry for which a message is held still stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from turfmilter.core.entry import Entry


def standing(said: str, table: Iterable[Entry], today: date) -> str:
    """What has become of an entry, in words; `said` is the entry and its place as the block has them."""
    # The text of an entry may hold blanks, and so may the name of its file.
    same = [entry for entry in table if said.startswith(f"{entry.text} ")]
    if not same:
        return "no longer there"
    entry = max(same, key=lambda entry: len(entry.text))
    if not entry.stands(today):
        return f"expired on {entry.expires}"
    return "still there" if str(entry) == said else f"still there, now at {entry.where}"
