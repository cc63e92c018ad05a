"""What the keys of `turfctl review` do to a message, and how it is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from turfmilter.cli.releasing import Releasing
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import Flag, NewerFormat, NotAMessage, shown_id
from turfmilter.review import marks
from turfmilter.review.agenda import Agenda
from turfmilter.review.quarantines import Ambiguous, NotFound, Place
from turfmilter.review.recorder import Recorder, Recorders
from turfmilter.review.release import NotReleased, Uncertain

# Reported in one line, after which the review goes on.
TROUBLE = (NotReleased, Uncertain, NotAMessage, NotFound, Ambiguous, NewerFormat, LedgerError, OSError)


class _Step(NamedTuple):
    """What was done to a message, where it was on the agenda, and what undoes it, None if nothing does."""

    place: Place
    at: int
    done: str
    undo: Callable[[Place, Recorder], Place] | None


class Acts:
    """What can be done to the current message of the agenda, and undone; `notices` are told the result.

    Each method raises an exception of TROUBLE if it fails; the message then stays where it is.
    """

    def __init__(
        self, agenda: Agenda, writing: Recorders, releasing: Sequence[Releasing], why_not: str, notices: list[str]
    ) -> None:
        self.agenda = agenda
        self.notices = notices
        self._writing = writing
        self._releasing, self._and_allowing = releasing
        self._why_not = why_not
        self._steps: list[_Step] = []

    def recorder(self, place: Place) -> Recorder:
        """Return what records acts on the message."""
        return self._writing.of(place.quarantine)

    def delete(self, place: Place) -> None:
        """Mark it as deleted, and leave it out from now on."""
        self._did(marks.delete(place, self.recorder(place)), "deleted", marks.restore)
        self.agenda.decided()

    def mark(self, place: Place) -> None:
        """Mark it as reviewed, and go to the next one."""
        if Flag.REVIEWED in place.message.flags:
            self.notices.append(f"{shown_id(place.message.id)}: reviewed already")
        else:
            marked = marks.mark_reviewed(place, self.recorder(place))
            self._did(marked, "marked reviewed", marks.mark_unreviewed)
            self.agenda.replace(marked)
        self.agenda.step(1)

    def release(self, place: Place) -> None:
        """Release it; it stays if not all recipients were accepted."""
        self._release(place, self._releasing)

    def release_and_allow(self, place: Place) -> None:
        """Release it, and add exceptions for its sender and authors."""
        if self._why_not:
            self.notices += ["not released, as no exception can be added:", *self._why_not.splitlines()]
        else:
            self._release(place, self._and_allowing)

    def undo(self) -> None:
        """Undo the last act, and go to its message."""
        if not self._steps:
            self.notices.append("nothing to undo")
            return
        step = self._steps[-1]
        id = shown_id(step.place.message.id)
        if step.undo is None:
            self.notices.append(f"{id} was released: that cannot be undone")
            return
        try:
            place = step.undo(step.place, self.recorder(step.place))
        except FileNotFoundError:
            self.notices.append(f"{id}: cannot be undone: it was removed")
        else:
            self.agenda.reopen(place, step.at)
            self.notices.append(f"{id}: no longer {step.done}")
        self._steps.pop()

    def summary(self) -> str:
        """Return how many messages were released, deleted and marked."""
        counts = Counter(step.done for step in self._steps)
        return ", ".join(f"{count} {done}" for done, count in counts.items()) or "nothing was changed"

    def _release(self, place: Place, releasing: Releasing) -> None:
        done = releasing.release(place)
        id = shown_id(place.message.id)
        for recipient, reply in done.released.replies.items():
            word = "released" if reply.startswith("2") else "REJECTED"
            self.notices.append(f"{id}: {word} to {escape(recipient)}: {escape(reply)}")
        for parameter in done.released.lost:
            self.notices.append(f"{id}: the MTA does not accept {escape(parameter)}")
        self.notices += [line for answer in done.answers for line in answer.text.splitlines()]
        if done.released.complete:
            self._steps.append(_Step(done.place, self.agenda.at, "released", None))
            self.agenda.decided()
        else:
            self.agenda.replace(done.place)

    def _did(self, place: Place, done: str, undo: Callable[[Place, Recorder], Place]) -> None:
        self._steps.append(_Step(place, self.agenda.at, done, undo))
        self.notices.append(f"{shown_id(place.message.id)}: {done}; u undoes this")
