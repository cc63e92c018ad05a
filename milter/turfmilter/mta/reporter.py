"""What becomes of one connection, for the people who run the filter: lines of the log, counts and the journal."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from typing import Any

from turfmilter.core.finding import CONTINUE, REFUSALS, Verdict
from turfmilter.core.judge import Judge
from turfmilter.core.ports import Level
from turfmilter.core.report import broken_off, record
from turfmilter.core.session import Recipient
from turfmilter.mta.journalled import Journalled
from turfmilter.mta.macros import Macros
from turfmilter.mta.service import Service


class Reporter:
    """Writes the log lines of one connection, counts what they report, and gives each transaction to the journal.

    The callbacks keep the time here: `begun` (time.perf_counter) is when the current one began, and `seconds` what the
    earlier ones for this message have taken, for the log's `ms`.
    """

    __slots__ = ("_counts", "_journal", "_judge", "_log", "_macros", "begun", "seconds")

    def __init__(self, service: Service, judge: Judge, macros: Macros) -> None:
        self._log = service.log
        self._counts = service.counts
        self._journal = Journalled(service, judge, macros)
        self._judge = judge
        self._macros = macros
        self.seconds = 0.0
        self.begun = 0.0

    def forget(self) -> None:
        """Begin the time and the recipients of the next message."""
        self.seconds = 0.0
        self._journal.forget()

    def connected(self, verdict: Verdict) -> None:
        """Count the connection; log `verdict` if that refuses it."""
        self._counts.connected(self._judge.policy.listener)
        if verdict.reply:
            self._refused(verdict)
            self._write(verdict, ())
            self._journal.ended(verdict, self._milliseconds())

    def recipient(self, verdict: Verdict, recipient: Recipient) -> None:
        """Report the `verdict` on one recipient; an accepted one appears in the journal only."""
        self._journal.recipient(recipient, verdict)
        if verdict is not CONTINUE:
            self._refused(verdict)
            self._write(verdict, (recipient,))

    def message(self, verdict: Verdict, **more: Any) -> None:
        """Report the final verdict on the message; `more` are further fields of its Record."""
        envelope, trials = self._judge.session.envelope, self._judge.trials
        self._counts.answered(self._judge.policy.listener, verdict.action.value)
        if verdict.reply:
            self._refused(verdict)
        if trials:
            self._counts.tried(trials)
        self._write(verdict, envelope.recipients if envelope else (), trial=tuple(map(str, trials)), **more)
        self._journal.ended(verdict, self._milliseconds(), **more)

    def unanswered(self, fields: int | None) -> None:
        """Report a message that ends without our final answer, if no other log line has what is known of it.

        `fields` is the number of its header fields if it ended in its header, else None.
        """
        self.begun = time.perf_counter()
        session, trials = self._judge.session, self._judge.trials
        if fields is not None:
            # Without a field, a client that disconnected after DATA looks the same as an MTA that failed at the first
            # field; and once the MTA has closed the connection, libmilter drops what it has not read yet.
            level: Level = "error" if fields else "info"
            self._log.say(level, broken_off(session, self._macros["i"], fields))
        if trials and session.envelope:
            self._counts.tried(trials)
            self._write(CONTINUE, session.envelope.recipients, trial=tuple(map(str, trials)))
        self._journal.ended(CONTINUE, self._milliseconds())

    def held(self, verdict: Verdict, seconds: float) -> None:
        """Count a message that was held by `verdict` and was safe after `seconds`."""
        self._counts.held(_rule(verdict), seconds)

    def not_held(self, why: str, *, full: bool) -> None:
        """Report a message that could not be held."""
        self._counts.not_held(full=full)
        self._log.say("error", f"quarantine: {why}")

    def failed(self, stage: str, error: Exception) -> None:
        """Report an error in the program, with the session in which it occurred."""
        self._counts.failed()
        *_, (frame, line) = traceback.walk_tb(error.__traceback__)  # extract_tb would read source files from disk
        place = f"{frame.f_code.co_name}:{line}"
        self._log.say("error", f"{stage}: {type(error).__name__}: {error} at {place} in {self._judge.session}")

    def _refused(self, verdict: Verdict) -> None:
        if verdict.action in REFUSALS:
            self._counts.refused(self._judge.policy.listener, _rule(verdict), verdict.action.value)

    def _write(self, verdict: Verdict, recipients: Iterable[Recipient], **more: Any) -> None:
        known = {"queue_id": self._macros["i"], "gen": self._judge.generation.number, "ms": self._milliseconds()}
        self._log.write(record(self._judge.session, verdict, recipients, **known, **more))

    def _milliseconds(self) -> int:
        return round((self.seconds + time.perf_counter() - self.begun) * 1000)


def _rule(verdict: Verdict) -> str:
    return verdict.finding.rule if verdict.finding else ""
