"""The journal's queue: transactions are encoded at once, and written by a thread of its own."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from threading import Lock

from turfmilter.core.journal.line import encode
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.ports import Log
from turfmilter.telemetry.batches import Batches
from turfmilter.telemetry.metrics import JOURNAL_DROPPED, JOURNAL_LINES

_ROOM = 2048  # lines of at most 64 KiB, most of them half a KiB

Append = Callable[[Sequence[bytes]], None]


class JournalWriter:
    """Implements ports.Journal.  `append`, given the name of this process, returns what writes lines to the disk.

    Lines that cannot be written are dropped, because mail must not wait for them.  The log reports when that
    begins, and when they are kept again.
    """

    def __init__(self, append: Callable[[str], Append], log: Log) -> None:
        self._process = secrets.token_hex(5)
        self._append = append(self._process)
        self._log = log
        self._numbers = count(1)
        self._lines = Batches[bytes]("journal", _ROOM, self._deliver)
        self._counting = Lock()
        self._written = 0
        self._dropped: Counter[str] = Counter({"queue": 0, "disk": 0})
        self._trouble = ""

    def start(self) -> None:
        """Start the thread.  A forked child must call this itself, because threads do not survive a fork."""
        self._lines.start()

    def stop(self) -> None:
        """Write what waits and end the thread; gives up after 5 seconds."""
        self._lines.stop()

    def session(self) -> str:
        """Return a name for one more connection."""
        return f"{self._process}-{next(self._numbers)}"

    def write(self, transaction: Transaction) -> None:
        """Queue one transaction; never blocks and never raises."""
        # Encoded here, not in the thread: a transaction can be far larger than its line, and only lines are bounded.
        if not self._lines.put(encode(transaction)):
            self._drop("queue", 1)

    def report(self) -> list[list[str | float]]:
        """Return how many lines were written and dropped, as Tally.report does."""
        dropped: list[list[str | float]]
        with self._counting:
            dropped = [[JOURNAL_DROPPED.name, why, number] for why, number in self._dropped.items()]
        return [[JOURNAL_LINES.name, self._written], *dropped]

    def _deliver(self, lines: Sequence[bytes]) -> bool:
        try:
            if lines:
                self._append(lines)
                self._written += len(lines)
        except OSError as error:
            self._drop("disk", len(lines))
            self._say(error.strerror or str(error))
        else:
            self._say("")
        return True

    def _drop(self, why: str, lines: int) -> None:
        with self._counting:
            self._dropped[why] += lines

    def _say(self, trouble: str) -> None:
        """Report `trouble`, or that there is none, unless that is what was reported last."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            self._log.say("warning", f"journal: {trouble}: transactions are not kept, and mail is not affected")
        else:
            dropped = sum(self._dropped.values())
            self._log.say("info", f"journal: transactions are kept again; {dropped} were not, since this process began")
