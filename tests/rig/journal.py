"""A journal of some sessions, which ended a moment ago, and a configuration that names it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rig.filter import give
from rig.quarantine import reviewed
from rig.sessions import Plan, play
from turfmilter.compose import build_generation
from turfmilter.config.loader import configure
from turfmilter.core.journal.line import encode
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.policy import Generation
from turfmilter.stores.journalfile import JournalFile


class Journal:
    """The journal in `place`, beside a quarantine; `settings` are the sections below [turf]."""

    def __init__(self, place: Path, turf: str = "", more: str = "") -> None:
        self.directory = place / "journal"
        self.directory.mkdir(mode=0o750)
        give(self.directory)
        self._more = f'[journal]\ndirectory = "{self.directory}"\n{more}'
        self.quarantine, self.config = reviewed(place, turf, more=self._more)
        self._written = 0

    @property
    def generation(self) -> Generation:
        """The rules of the configuration."""
        return build_generation(configure(tomllib.loads(self.config.read_text()), self.config.parent))

    def play(self, *plans: Plan, ago: timedelta = timedelta(hours=1)) -> list[Transaction]:
        """Play sessions under the configuration, and write what they lead to; the last ended so long ago."""
        generation, end = self.generation, datetime.now(UTC).replace(microsecond=0) - ago
        found = [play(generation, plan, f"Q{self._written + number}") for number, plan in enumerate(plans)]
        every = [transaction for told in found for transaction in told.transactions]
        self._written += len(plans)
        return self.write(
            transaction._replace(time=end - timedelta(seconds=len(every) - number), today=end.date(), ms=1)
            for number, transaction in enumerate(every, 1)
        )

    def write(self, transactions: Iterable[Transaction]) -> list[Transaction]:
        """Write transactions, as a worker of its own does."""
        written = list(transactions)
        file = JournalFile(self.directory, f"w{len(list(self.directory.iterdir()))}", 0.0)
        file.append([encode(transaction) for transaction in written])
        file.close()
        for path in self.directory.iterdir():
            give(path)
        return written
