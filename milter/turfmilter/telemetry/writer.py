"""The log: lines wait in a bounded queue, and a thread of its own sends them."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from turfmilter.core.ports import Level
from turfmilter.core.report import Record
from turfmilter.telemetry.batches import Batches
from turfmilter.telemetry.line import TEXT, Form
from turfmilter.telemetry.sink import Line, Sink

_SEVERITY: dict[Level, int] = {"error": 3, "warning": 4, "info": 6}  # RFC 3164 §4.1.1, table 2
_AGAIN = 0.2  # seconds until a line that was not accepted is sent again


class LogWriter:
    """Implements ports.Log.  Up to `room` lines, each shorter than 8 KiB, wait in memory; more are dropped."""

    def __init__(self, sink: Sink, form: Form = TEXT, *, room: int = 4096) -> None:
        self._sink = sink
        self._form = form
        self._lines = Batches[Line]("log", room, self._deliver)
        self.dropped = 0  # lines, since the start
        self._owned_up = 0  # of these, how many have been reported in the log
        self._counting = Lock()

    def start(self) -> None:
        """Start the thread.  A forked child must call this itself, because threads do not survive a fork."""
        self._lines.start()

    def stop(self, within: float = 5.0) -> None:
        """Write the waiting lines and end the thread; gives up after `within` seconds or if lines are not accepted."""
        self._lines.stop(within)

    def write(self, record: Record) -> None:
        """Queue one line; never blocks and never raises."""
        # Formatted here, not in the thread: a record can be far larger than its line, and only lines are bounded.
        self._put("info", self._form.record(record))

    def say(self, level: Level, text: str) -> None:
        """Queue a notice of the program itself; never blocks and never raises."""
        self._put(level, self._form.notice(level, text))

    def _put(self, level: Level, line: str) -> None:
        if not self._lines.put((_SEVERITY[level], line)):
            with self._counting:
                self.dropped += 1

    def _deliver(self, lines: Sequence[Line]) -> bool:
        """Send how many lines were dropped since the last report, if any, and `lines`; False if the program stops."""
        with self._counting:
            dropped, self._owned_up = self.dropped - self._owned_up, self.dropped
        said = f"dropped={dropped}: the log could not accept more lines"
        notice = [(_SEVERITY["warning"], self._form.notice("warning", said))] if dropped else []
        return self._send([*notice, *lines])

    def _send(self, lines: Sequence[Line]) -> bool:
        """Send `lines` until all are accepted; False if the program stops first."""
        while lines := lines[self._sink.send(lines) :]:
            if self._lines.stopping.wait(_AGAIN):
                return False
        return True
