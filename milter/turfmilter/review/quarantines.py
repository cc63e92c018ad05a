"""All quarantines that are reviewed, as one: messages are found by condition or by id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, tzinfo
from typing import NamedTuple

from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError, Line
from turfmilter.core.held.message import Message, State, fold_id, shown_id
from turfmilter.core.held.selection import OPEN, By, Group, Selection
from turfmilter.core.held.summary import Summary
from turfmilter.core.ports import HeldMessages, OpenMessage
from turfmilter.review.fate import RELEASE, by_id, fates, state


class NotFound(Exception):
    """No message has this id, or none was selected."""


class Ambiguous(Exception):
    """Several messages have ids with this beginning; the text names them."""


class Place(NamedTuple):
    """A message, and the quarantine that holds it."""

    quarantine: HeldMessages
    message: Message

    def open(self) -> OpenMessage:
        """Open the message for reading, even if its flags have changed.  Raises FileNotFoundError and NotAMessage."""
        try:
            return self.quarantine.open(self.message)
        except FileNotFoundError:
            return self.quarantine.open(self.quarantine.again(self.message))


class Found(NamedTuple):
    """A message that was selected, where it is, and what it is about."""

    place: Place
    summary: Summary


class Quarantines:
    """All messages in the quarantines `each`."""

    def __init__(self, each: Sequence[HeldMessages]) -> None:
        self.each = each
        self._resent: dict[HeldMessages, frozenset[str]] = {}

    def newest(self, selection: Selection, limit: int = 0) -> list[Found]:
        """Return the selected messages, the newest first; at most `limit`, 0 means all."""
        found = [
            Found(Place(quarantine, held.message), held.summary)
            for quarantine in self.each
            for held in quarantine.newest(self._resolved(quarantine, selection), limit)
        ]
        if len(self.each) > 1:  # each quarantine has sorted its own
            found.sort(key=lambda one: (one.summary.time, one.place.message.id, one.place.message.key), reverse=True)
        return found[: limit or None]

    def count(self, selection: Selection) -> int:
        """Return the number of selected messages."""
        return sum(quarantine.count(self._resolved(quarantine, selection)) for quarantine in self.each)

    def groups(self, selection: Selection, by: By) -> list[Group]:
        """Return the selected messages counted by what they have in common; the largest group first."""
        groups: dict[str, Group] = {}
        for group in (one for each in self.each for one in each.groups(self._resolved(each, selection), by)):
            other = groups.get(group.value, Group(group.value, 0, group.last))
            groups[group.value] = Group(group.value, group.count + other.count, max(group.last, other.last))
        return sorted(groups.values(), key=lambda group: (-group.count, group.value))

    def days(self, selection: Selection, zone: tzinfo | None) -> Counter[date]:
        """Return how many of the selected messages were held on each day in `zone`; None is the zone of this host."""
        days: Counter[date] = Counter()
        for quarantine in self.each:
            for begin, number in quarantine.quarters(self._resolved(quarantine, selection)).items():
                days[begin.astimezone(zone).date()] += number
        return days

    def find(self, beginning: str) -> Place:
        """Return the message whose id begins so.  Raises NotFound and Ambiguous."""
        return self.find_each([beginning])[0]

    def find_each(self, beginnings: Sequence[str]) -> list[Place]:
        """Return the messages whose ids begin so.

        Raises NotFound or Ambiguous, with a line for each of `beginnings` that does not name exactly one message.
        """
        named = [(quarantine, quarantine.named(beginnings)) for quarantine in self.each]
        places, wrong = [], list[NotFound | Ambiguous]()
        for number, beginning in enumerate(beginnings):
            candidates = [Place(quarantine, message) for quarantine, found in named for message in found[number]]
            try:
                places.append(_only(beginning, candidates))
            except (NotFound, Ambiguous) as error:
                wrong.append(error)
        if wrong:
            raise type(wrong[0])("\n".join(map(str, wrong)))
        return places

    def _resolved(self, quarantine: HeldMessages, selection: Selection) -> Selection:
        """Return `selection` with the messages in the states that follow from the ledger.

        All open messages are selected by their flags, except one that is marked as released although a later release
        has no outcome; to find those, the ledger is read once.  Raises LedgerError, except if all open messages are
        selected: then they must be shown even if the ledger cannot be read.
        """
        wanted = selection.states & {State.PARTLY_RELEASED, State.UNKNOWN}
        if not wanted or selection.states >= OPEN | {State.RELEASED}:
            return selection
        if not selection.states >= OPEN:
            lines = (line for line in quarantine.ledger.lines() if line.act == RELEASE)
            return replace(selection, also=_in_states(wanted, quarantine, lines))
        if quarantine not in self._resent:
            self._resent[quarantine] = _resent(quarantine)
        return replace(selection, also=self._resent[quarantine])


def _resent(quarantine: HeldMessages) -> frozenset[str]:
    with suppress(LedgerError):
        if ids := quarantine.ledger.unfinished(RELEASE):
            return _in_states({State.UNKNOWN}, quarantine, quarantine.ledger.lines(ids))
    return frozenset()


def _in_states(wanted: Collection[State], quarantine: HeldMessages, lines: Iterable[Line]) -> frozenset[str]:
    """Return the ids of the messages that are in one of the `wanted` states according to `lines` of the ledger."""
    known = by_id(lines)
    attempted = quarantine.newest(Selection(states=frozenset(), also=frozenset(known)))
    return frozenset(
        message.id
        for message, summary in attempted
        if state(message, summary.recipients, fates(known[message.id])) in wanted
    )


def _only(beginning: str, candidates: Sequence[Place]) -> Place:
    """Return the candidate that has exactly this id, or the only one.  Raises NotFound and Ambiguous."""
    exact = [place for place in candidates if shown_id(place.message.id) == beginning]
    exact = exact or [place for place in candidates if fold_id(shown_id(place.message.id)) == fold_id(beginning)]
    exact = exact or list(candidates)
    if not exact:
        raise NotFound(f'no message has the id "{escape(beginning)}"')
    if len(exact) > 1:
        raise Ambiguous(f'several messages have an id like "{escape(beginning)}": {_named(exact)}')
    return exact[0]


def _named(places: Sequence[Place], most: int = 10) -> str:
    """Return their ids; if two have the same id, what their stores call them."""
    ids = {place.message.id for place in places}
    names = ids if len(ids) == len(places) else {place.message.key for place in places}
    shown = ", ".join(map(shown_id, sorted(names)[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
