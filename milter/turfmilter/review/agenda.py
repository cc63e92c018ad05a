"""The messages that wait for a decision, one after another, while others may decide about them too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from turfmilter.core.held.message import State, shown_id
from turfmilter.review.quarantines import Place


class Agenda:
    """Goes through `places`, of which only those in `states` wait for a decision.

    `skipped` is told about each message that someone else has decided about, or removed, in the meantime.
    """

    def __init__(self, places: Iterable[Place], states: frozenset[State], skipped: Callable[[str], None]) -> None:
        self._places = list(places)
        self._states = states
        self._skipped = skipped
        self.at = 0  # the index of the current message; 0 if there is none

    def __len__(self) -> int:
        return len(self._places)

    def current(self) -> Place | None:
        """Return the current message as it is now, None if no message is left.  Raises OSError if the store fails."""
        while self._places:
            place = self._places[self.at]
            try:
                message = place.quarantine.again(place.message)
            except FileNotFoundError:
                self._drop(f"{shown_id(place.message.id)}: skipped: it was removed")
                continue
            if message.state != place.message.state and message.state not in self._states:
                self._drop(f"{shown_id(place.message.id)}: skipped: someone else has {message.state.value} it")
                continue
            self.replace(place._replace(message=message))
            return self._places[self.at]
        return None

    def step(self, by: int) -> bool:
        """Go `by` messages forward, or back if negative; return False, and stay, if there is none."""
        there = 0 <= self.at + by < len(self)
        self.at += by if there else 0
        return there

    def replace(self, place: Place) -> None:
        """Remember the current message as it is after an act that leaves it open."""
        self._places[self.at] = place

    def decided(self) -> None:
        """Leave the current message out from now on; the one that follows it becomes the current one."""
        del self._places[self.at]
        self.at = max(min(self.at, len(self) - 1), 0)

    def reopen(self, place: Place, at: int) -> None:
        """Put a message back to where it was, and go to it."""
        known = [one.message.id for one in self._places]
        if place.message.id in known:
            self.at = known.index(place.message.id)
            self.replace(place)
        else:
            self.at = min(at, len(self))
            self._places.insert(self.at, place)

    def _drop(self, why: str) -> None:
        self._skipped(why)
        self.decided()
