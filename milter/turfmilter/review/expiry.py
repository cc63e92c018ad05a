"""Retention: removes messages that are due, keeps unreviewed ones, and warns before room runs out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from turfmilter.config.sections.quarantine import QuarantineConfig
from turfmilter.core.held.message import Flag, Message, NotAMessage, Sighting, State, is_id, time_of
from turfmilter.core.held.summary import believed
from turfmilter.core.ports import HeldMessages
from turfmilter.review.census import Census
from turfmilter.review.observation import Watch
from turfmilter.review.recorder import Recorder

WARNED = 0.8  # share of the room that may be used before a warning
_UNIT = 1 << 20  # bytes, for people
# Unreviewed messages that may be removed in an hour: if anything goes wrong, people have time to notice.
_HOURLY_SHARE, _HOURLY_LEAST = 10, 100  # one in ten, and this many in any case
_SLOWED = (
    "more messages are old enough than may be removed in an hour (10 %, or 100 if that is more); the others follow"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is to be removed, its size in bytes, and why."""

    message: Message
    size: int
    why: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """A message in quarantine: its size in bytes, when its flags last changed, and for how long it was seen like this.

    `seen` is None if that is not known.
    """

    message: Message
    size: int
    touched: datetime
    seen: timedelta | None = None

    @property
    def reviewed(self) -> bool:
        return self.message.state is not State.UNREVIEWED

    @property
    def flagged(self) -> bool:
        return Flag.FLAGGED in self.message.flags


class Expiry:
    """Removes what is due from one quarantine, and records each removal in the ledger.  `watch` knows the ages."""

    def __init__(
        self,
        held: HeldMessages,
        recorder: Recorder,
        terms: QuarantineConfig,
        watch: Watch,
        now: Callable[[], datetime],
    ) -> None:
        self._held = held
        self._recorder = recorder
        self._terms = terms
        self._watch = watch
        self._now = now
        self._most = 0  # unreviewed messages that may be removed in an hour
        self._problems: list[str] = []
        self._every: list[_Kept] = []  # when last looked at
        self._gone: set[str] = set()  # ids of those that were removed or had disappeared since
        self._used = 0.0

    def run(self) -> int:
        """Remove what is due, and more to make room if something cannot be removed.  Return how many were removed.

        Raises LedgerError and OSError.
        """
        removed, stuck = 0, set[str]()
        while True:
            before = len(stuck)
            for due in self.granted(self.due(without=stuck)):
                try:
                    gone = self.remove(due)
                except OSError as error:
                    self._cannot_remove(due, error)
                    gone = False
                if gone:
                    removed += 1
                    self._gone.add(due.message.id)
                else:
                    stuck.add(due.message.id)
            if len(stuck) == before:
                return removed

    def due(self, *, without: Collection[str] = ()) -> list[Due]:
        """Return what is to be removed now: first what is too old, then what makes room.

        Of unreviewed messages these are the oldest, as many as may be removed in this hour.  `without` are ids of
        messages that cannot be removed; they still occupy room.  Raises OSError.
        """
        every = self._every = self._looked_at()
        kept = [one for one in every if not one.flagged and one.message.id not in without]
        due = self._aged(kept, sum(not one.reviewed for one in every))
        old = {one.message for one in due}
        freed = sum(one.size for one in due)
        missing, inodes = self._missing(sum(one.size for one in every) - freed, freed, len(due))
        # Deleted ones first, then those that were reviewed longest ago.
        left = [one for one in kept if one.reviewed and one.message not in old]
        for one in sorted(left, key=lambda one: (one.message.state is not State.DELETED, one.touched)):
            if missing <= 0 and inodes <= 0:
                break
            due.append(Due(one.message, one.size, f"{one.message.state.value}, to make room"))
            missing, inodes = missing - one.size, inodes - 1
        return due

    def granted(self, due: list[Due]) -> list[Due]:
        """Return those of `due` that may be removed; they count as removed even if the program ends now."""
        unreviewed = sum(_is_unreviewed(one) for one in due)
        room = self._watch.take(self._held.name, unreviewed, self._most) if unreviewed else 0
        return _within(due, room)

    def remove(self, due: Due) -> bool:
        """Remove one; return False if it is gone or being released.  Raises LedgerError and OSError."""
        try:
            with (
                self._held.open(due.message) as opened,
                opened.lock(),
                self._recorder.acting("expire", due.message.id, due.why),
            ):
                self._held.remove(due.message)
        except NotAMessage:
            return False  # not ours to remove: `turfctl show` tells what it is
        except (FileNotFoundError, BlockingIOError):
            return False
        return True

    def settle(self) -> list[str]:
        """Make the MTA retry later if more is held than allowed, and return warnings.  Raises OSError."""
        most = self._terms.max_size
        held = sum(one.size for one in self._files()) if most else 0
        self._used = held / most if most else 0.0
        full = f"max_size is reached, {most // _UNIT} MiB" if 0 < most <= held else ""
        self._held.room.settle(full)
        advice = "review what is there: turfctl list --state unreviewed"
        if full:
            said = f"{self._held.name}: {full}: messages that are to be held are answered 452; {advice}"
            return [*self._problems, said]
        used = [held / most] if most else []
        used += [self._terms.floor / max(space.share, 1e-9) for space in self._held.room.free() if self._terms.floor]
        self._used = max(used, default=0.0)
        if self._used < WARNED:
            return self._problems
        said = f"{self._held.name}: room is running out, and messages will be answered 452; {advice}"
        return [*self._problems, said]

    def census(self) -> Census:
        """Return what is left, after `run` and `settle`."""
        left = [one for one in self._every if one.message.id not in self._gone]
        held = (time_of(one.message.id) for one in left if not one.reviewed and is_id(one.message.id))
        states = Counter(one.message.state for one in left)
        return Census(states, sum(one.size for one in left), min(held, default=None), self._used)

    def _cannot_remove(self, due: Due, error: OSError) -> None:
        """Remember a problem; if many messages cannot be removed for one reason, only the first is reported."""
        said = f"{self._held.name}: {due.message.id} cannot be removed: {error.strerror}"
        if not any(problem.endswith(f" cannot be removed: {error.strerror}") for problem in self._problems):
            self._problems.append(said)

    def _files(self) -> Iterator[_Kept]:
        """Yield every message, whatever its flags."""
        for message in self._held.every():
            with suppress(FileNotFoundError):
                size, touched = self._held.status(message)
                yield _Kept(message, size, touched)

    def _looked_at(self) -> list[_Kept]:
        """Return every message, with how long each has been seen as it is."""
        every = list(self._files())
        seen = self._watch.look(self._held.name, {_sighting(one) for one in every})
        return [_Kept(one.message, one.size, one.touched, seen.get(_sighting(one))) for one in every]

    def _aged(self, kept: list[_Kept], unreviewed: int) -> list[Due]:
        """Return what is too old, of the `unreviewed` messages as many as may be removed in this hour."""
        self._most = max(unreviewed // _HOURLY_SHARE, _HOURLY_LEAST)
        room, slowed = self._watch.left(self._held.name, self._most), False
        due = []
        for one in sorted(kept, key=lambda one: one.message.id):  # ids begin with the time
            # Whether it is due is read in its file: not in all of ten thousand each minute if few may be removed.
            why = "" if slowed and not one.reviewed else self._too_old(one)
            if not why:
                continue
            if not one.reviewed:
                slowed = room == 0
                room -= 1
            if one.reviewed or not slowed:
                due.append(Due(one.message, one.size, why))
        sentence = f"{self._held.name}: {_SLOWED}"
        if slowed and sentence not in self._problems:
            self._problems.append(sentence)
        return due

    def _too_old(self, one: _Kept) -> str:
        """Return why it is too old, "" if it is not."""
        span = self._terms.keep_reviewed if one.reviewed else self._terms.keep
        age = self._since_review(one) if one.reviewed else self._since_held(one, span)
        return f"{one.message.state.value}, for {age.days} days" if age is not None and age >= span else ""

    def _since_review(self, one: _Kept) -> timedelta | None:
        """Return how long ago a flag was last set; None if that cannot be known."""
        if self._watch.clock_jumped:
            return None
        age = self._now() - one.touched
        return age if one.seen is None else min(age, one.seen)

    def _since_held(self, one: _Kept, span: timedelta) -> timedelta | None:
        """Return how long ago it was held, by its block and by what this host has observed, not by its mtime.

        None if that cannot be known.  The block is read only if the observations show an age of at least `span`.
        """
        if not self._watch.clock_trusted:
            return None
        if one.seen is None and not self._watch.dates_suffice:
            return None
        if one.seen is not None and one.seen < span:
            return one.seen
        held = self._sealed_time(one.message)
        ages = [] if held is None else [self._now() - held]
        if one.seen is not None:
            # A time in the future comes from a wrong clock, and proves nothing.
            ages = [one.seen, *(age for age in ages if age >= timedelta())]
        return min(ages, default=None)

    def _sealed_time(self, message: Message) -> datetime | None:
        """Return when it was held according to its block; None if the block cannot be read or trusted."""
        with suppress(NotAMessage, OSError), self._held.open(message) as opened:
            block, doubt = believed(opened.file, message.id)
            if block and not doubt:
                return block.slip.time.astimezone(UTC)
        return None

    def _missing(self, held: int, freed: int, files: int) -> tuple[int, int]:
        """Return how many bytes and inodes must become free, if `freed` bytes in `files` files will be removed anyway.

        This is the measure by which messages are answered 452: with max_size bytes held, one byte must be removed.
        """
        bytes_missing, inodes_missing = (space.missing(self._terms.floor) for space in self._held.room.free())
        over = held - self._terms.max_size + 1 if self._terms.max_size else 0
        return max(over, bytes_missing - freed), inodes_missing - files


def _sighting(one: _Kept) -> Sighting:
    return Sighting(one.message.id, one.reviewed)


def _is_unreviewed(due: Due) -> bool:
    return due.message.state is State.UNREVIEWED


def _within(due: list[Due], room: int) -> list[Due]:
    """Return `due` with only the first `room` of the unreviewed messages."""
    allowed = iter(range(room))
    return [one for one in due if not _is_unreviewed(one) or next(allowed, None) is not None]
