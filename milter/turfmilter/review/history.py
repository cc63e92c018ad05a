"""What the ledgers tell about held messages: who did what to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from turfmilter.stores.ledger import Ledger, Line
from turfmilter.stores.openmaildir import OpenMaildir, Place


class Histories:
    """The lines about each of some messages; every ledger is read once, however many they are."""

    def __init__(self, places: Iterable[Place]) -> None:
        """Raises LedgerError."""
        ids: dict[OpenMaildir, set[str]] = defaultdict(set)
        for place in places:
            ids[place.maildir].add(place.file.id)
        self._of = {maildir: by_id(Ledger(maildir.root).lines(some)) for maildir, some in ids.items()}

    def of(self, place: Place) -> Sequence[Line]:
        """The lines about the message at `place`, in their order."""
        return self._of[place.maildir].get(place.file.id, ())


def by_id(lines: Iterable[Line]) -> Mapping[str, Sequence[Line]]:
    """The lines of each message, in their order."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        found[line.id].append(line)
    return found
