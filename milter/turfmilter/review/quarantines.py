"""All quarantines that are reviewed, as one: what is in them, found by condition or by id."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import date
from functools import cached_property
from itertools import takewhile
from operator import itemgetter
from types import TracebackType

from turfmilter.core.escape import escape
from turfmilter.stores.follower import Watch
from turfmilter.stores.index import By, Group, Index
from turfmilter.stores.opened import OpenMaildir, Place
from turfmilter.stores.rows import Held
from turfmilter.stores.selection import Selection


class NotFound(Exception):
    """No message has this id."""


class Ambiguous(Exception):
    """Several messages have an id that begins so; the text names them."""


class Quarantines:
    """The messages in `maildirs`.  `watch` sees to it that people know why they wait."""

    def __init__(self, maildirs: Sequence[OpenMaildir], watch: Watch) -> None:
        self.maildirs = maildirs
        self._watch = watch
        self._closing = ExitStack()

    def __enter__(self) -> Quarantines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.close()

    def newest(self, selection: Selection, limit: int = 0) -> list[Held]:
        """The messages that are meant, the newest first; at most `limit`, 0 is no limit."""
        found = [held for index in self._indexes for held in index.newest(selection, limit)]
        found.sort(key=lambda held: (held.summary.time, held.place.file), reverse=True)
        return found[: limit or None]

    def count(self, selection: Selection) -> int:
        """How many messages are meant."""
        return sum(index.count(selection) for index in self._indexes)

    def groups(self, selection: Selection, by: By) -> list[Group]:
        """The messages that are meant, counted by what they have in common; the largest group first."""
        groups: dict[str, Group] = {}
        for group in (group for index in self._indexes for group in index.groups(selection, by)):
            other = groups.get(group.value, Group(group.value, 0, group.last))
            groups[group.value] = Group(group.value, group.count + other.count, max(group.last, other.last))
        return sorted(groups.values(), key=lambda group: (-group.count, group.value))

    def days(self, selection: Selection) -> Counter[date]:
        """How many of the messages that are meant were held on each day, UTC."""
        days: Counter[date] = Counter()
        for index in self._indexes:
            days.update(index.days(selection))
        return days

    def find(self, beginning: str) -> Place:
        """The message whose id begins so.  Raises NotFound and Ambiguous.

        The directories are asked, not the index: it need not be there.
        """
        return self.find_each([beginning])[0]

    def find_each(self, beginnings: Iterable[str]) -> list[Place]:
        """The messages whose ids begin so; the directories are read once for all of them.

        Raises NotFound and Ambiguous, which name all that are wrong.
        """
        listing = _Listing(Place(maildir, file) for maildir in self.maildirs for file, _ in maildir.files())
        places, wrong = [], list[NotFound | Ambiguous]()
        for beginning in beginnings:
            try:
                places.append(listing.only(beginning))
            except (NotFound, Ambiguous) as error:
                wrong.append(error)
        if wrong:
            raise type(wrong[0])("\n".join(map(str, wrong)))
        return places

    @cached_property
    def _indexes(self) -> list[Index]:
        return [self._closing.enter_context(Index(maildir, self._watch)) for maildir in self.maildirs]


class _Listing:
    """All messages in the order of their ids: those whose ids begin alike follow each other."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = sorted(((escape(place.file.id), place) for place in places), key=itemgetter(0))

    def only(self, beginning: str) -> Place:
        """The one whose id is this, or begins so.  Raises NotFound and Ambiguous."""
        rest = range(bisect_left(self._places, beginning, key=itemgetter(0)), len(self._places))
        some = takewhile(lambda found: found[0].startswith(beginning), map(self._places.__getitem__, rest))
        found = list(some) if beginning else []
        exact = [place for id, place in found if id == beginning] or [place for _, place in found]
        if not exact:
            raise NotFound(f'no message has the id "{escape(beginning)}"')
        if len(exact) > 1:
            raise Ambiguous(f'several messages have an id like "{escape(beginning)}": {_named(exact)}')
        return exact[0]


def _named(places: Sequence[Place], most: int = 10) -> str:
    """Their ids; where one is there twice only the files tell which is which."""
    ids = {place.file.id for place in places}
    names = ids if len(ids) == len(places) else {f"{place.file.part}/{place.file.name}" for place in places}
    shown = ", ".join(map(escape, sorted(names)[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
