"""What the upkeep finds in all quarantines beside what it removes: numbers for the metrics, and cause for events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from turfmilter.core.held.ledger import Mark
from turfmilter.core.held.message import State
from turfmilter.core.ports import HeldMessages
from turfmilter.review.census import Census, newcomers, outcomes
from turfmilter.review.expiry import WARNED
from turfmilter.telemetry import metrics as m
from turfmilter.telemetry.metric import Key

OUTCOMES = ("released", "refused", "not_sent")
BY_FLAGS = (State.UNREVIEWED, State.REVIEWED, State.RELEASED, State.DELETED)  # the others follow from the ledger


class Stocktaking:
    """Looks at one quarantine after the other, and at what has changed in each since the stocktaking before.

    `before` is what that returned, and at first {"started": …} with the time, as ISO 8601, from which newcomers are
    looked for.  `keep` is the time within which a sender is known; None if new ones are not wanted.
    """

    def __init__(self, before: Mapping[str, Any], now: datetime, keep: timedelta | None) -> None:
        self._started = datetime.fromisoformat(before["started"])
        self._since = datetime.fromisoformat(before.get("until", before["started"]))
        self._now = now
        self._keep = keep
        self._ledgers: dict[str, Any] = dict(before.get("ledgers", {}))
        self._newcomers: list[dict[str, Any]] = []
        self._censuses: dict[str, Census] = {}

    def look(self, held: HeldMessages, census: Census) -> None:
        """Look at one quarantine, of which `census` is known.  Raises LedgerError and OSError."""
        self._censuses[held.name] = census
        self._read_ledger(held)
        if self._keep is not None:
            self._newcomers += newcomers(held, self._since, self._started, self._keep)

    def result(self) -> dict[str, Any]:
        """Return everything, as JSON can have it."""
        return {
            "started": self._started.isoformat(),
            "until": self._now.isoformat(),
            "ledgers": self._ledgers,
            "newcomers": self._newcomers,
            "nearly_full": {name: one.used for name, one in self._censuses.items() if one.used >= WARNED},
            "numbers": [[*key, number] for key, number in self._numbers().items()],
        }

    def _read_ledger(self, held: HeldMessages) -> None:
        inode, offset, known = self._ledgers.get(held.name, (0, 0, {}))
        mark, lines = held.ledger.added(Mark(inode, offset))
        self._ledgers[held.name] = (*mark, Counter(known) + outcomes(lines))

    def _numbers(self) -> dict[Key, float]:
        releases = sum((Counter(known) for _, _, known in self._ledgers.values()), Counter[str]())
        numbers: dict[Key, float] = {(m.RELEASES.name, outcome): releases[outcome] for outcome in OUTCOMES}
        if not self._censuses:
            return numbers
        all_ = sum(self._censuses.values(), Census())
        numbers |= {(m.HELD_NOW.name, state.value): all_.messages[state] for state in BY_FLAGS}
        numbers |= {(m.BYTES.name,): all_.size, (m.FULL.name,): all_.used >= 1}
        return numbers | ({(m.OLDEST.name,): all_.oldest.timestamp()} if all_.oldest else {})
