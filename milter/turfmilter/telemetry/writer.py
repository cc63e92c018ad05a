"""The log's own thread and its bounded queue, so that no callback ever waits for the log."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from threading import Event, Lock, Thread

from turfmilter.core.ports import Level
from turfmilter.core.report import Record
from turfmilter.telemetry.line import TEXT, Form
from turfmilter.telemetry.sink import Line, Sink

_SEVERITY: dict[Level, int] = {"error": 3, "warning": 4, "info": 6}  # RFC 3164 §4.1.1, table 2
_AGAIN = 0.2  # seconds until a line that was not accepted is sent again
_GATHERING = 0.02  # seconds in which lines are collected: waking the thread for each would delay the callbacks


class LogWriter:
    """Implements ports.Log.  Up to `room` lines, each shorter than 8 KiB, wait in memory; more are dropped."""

    def __init__(self, sink: Sink, form: Form = TEXT, *, room: int = 4096) -> None:
        self._sink = sink
        self._form = form
        self._room = room
        self._lines: SimpleQueue[Line | None] = SimpleQueue()
        self.dropped = 0  # lines, since the start
        self._owned_up = 0  # of these, how many have been reported in the log
        self._counting = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Start the thread.  A forked child must call this itself, because threads do not survive a fork."""
        self._thread.start()

    def stop(self, within: float = 5.0) -> None:
        """Write the waiting lines and end the thread; gives up after `within` seconds or if lines are not accepted."""
        self._stopping.set()
        self._lines.put(None)
        self._thread.join(within)

    def write(self, record: Record) -> None:
        """Queue one line; never blocks and never raises."""
        # Formatted here, not in the thread: a record can be far larger than its line, and only lines are bounded.
        self._put("info", self._form.record(record))

    def say(self, level: Level, text: str) -> None:
        """Queue a notice of the program itself; never blocks and never raises."""
        self._put(level, self._form.notice(level, text))

    def _put(self, level: Level, line: str) -> None:
        if self._lines.qsize() < self._room:
            self._lines.put((_SEVERITY[level], line))
        else:
            with self._counting:
                self.dropped += 1

    def _run(self) -> None:
        more = True
        while more:
            lines, more = self._next()
            if not (self._own_up() and self._deliver(lines)):
                return
            self._stopping.wait(_GATHERING)
        self._own_up()

    def _next(self) -> tuple[list[Line], bool]:
        """Wait for a line, and return it with all others in the queue; False if they are the last."""
        lines: list[Line] = []
        while (line := self._lines.get()) is not None:
            lines.append(line)
            if self._lines.empty():
                return lines, True
        return lines, False

    def _own_up(self) -> bool:
        """Log how many lines were dropped since the last report, if any; False if the program stops meanwhile."""
        with self._counting:
            dropped, self._owned_up = self.dropped - self._owned_up, self.dropped
        said = f"dropped={dropped}: the log could not accept more lines"
        return not dropped or self._deliver([(_SEVERITY["warning"], self._form.notice("warning", said))])

    def _deliver(self, lines: Sequence[Line]) -> bool:
        """Send `lines` until all are accepted; False if the program stops first."""
        while lines := lines[self._sink.send(lines) :]:
            if self._stopping.wait(_AGAIN):
                return False
        return True
