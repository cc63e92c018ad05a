"""The workers of one generation: as many as there should be, the worn ones replaced, the dead ones restarted."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from math import inf

from turfmilter.daemon.reload import Loaded, Say

DRAIN_SECONDS = 3600.0  # a connection of the MTA lasts as long as its client's: nobody is cut off by a new generation
_BOOT_SECONDS = 60.0  # until a worker serves, on a machine that is very busy
_PATIENCE = 15  # probes without an answer: half a minute; a service manager would end all workers for one
_SHORT_LIFE = 10.0  # a worker that dies younger than this is not restarted at once
_MAX_PAUSE_SECONDS = 60.0
_NO_PROCESS_PAUSE = 5.0


class Fleet:
    """Begins empty; `settle` starts what is missing.  Times are those of time.monotonic."""

    def __init__(self, loaded: Loaded, fork: Callable[[Loaded], Process], say: Say) -> None:
        self.loaded = loaded
        self.processes: list[Process] = []
        self.leaving = False
        self.problem = ""  # why no worker can be started
        self._fork = fork
        self._say = say
        self._size = loaded.config.workers or len(os.sched_getaffinity(0))
        self._died_young = 0
        self._pause_until = 0.0
        self._worn: list[Process] = []

    @property
    def ready(self) -> bool:
        """True when as many serve as should."""
        return sum(process.serving for process in self.processes) >= self._size

    @property
    def resumes(self) -> float:
        """When `settle` should be called because of a worker that is restarted after a pause; for ever if of none."""
        return self._pause_until if self._missing() and not self.leaving else inf

    def settle(self, now: float) -> None:
        """Start the workers that are missing; a worn one is told to drain when there is another in its place."""
        if self.leaving:
            return
        self._worn = [process for process in self.processes if process.serving and self._why_worn(process, now)]
        if now >= self._pause_until:
            self._start(self._missing(), now)
        serving = sum(process.serving for process in self.processes)
        for process in self._worn[: max(0, serving - self._size)]:
            self._say("info", f"worker {process.pid} is replaced: {self._why_worn(process, now)}")
            process.drain(DRAIN_SECONDS)

    def weed(self, now: float) -> None:
        """Kill those that have never served, or do not answer any more, whether they are leaving or not."""
        for process in self.processes:
            if not process.ready and now - process.begun > _BOOT_SECONDS:
                process.failed = f"it did not serve within {_BOOT_SECONDS:g} s"
            elif process.ready and process.unanswered >= _PATIENCE:
                process.failed = "it did not answer any more"
            else:
                continue
            process.kill()

    def ended(self, process: Process, how: str, now: float) -> None:
        """One of them is no more."""
        self.processes.remove(process)
        reason = f": {process.failed}" if process.failed else ""
        if self.leaving or process.draining:
            if reason:
                self._say("error", f"worker {process.pid} ended ({how}){reason}")
            return
        young = now - process.begun < _SHORT_LIFE
        self._died_young = self._died_young + 1 if young else 0
        pause = min(2.0 ** (self._died_young - 1), _MAX_PAUSE_SECONDS) if young else 0.0
        self._pause_until = now + pause
        again = f" in {pause:g} s" if pause else ""
        self._say("error", f"worker {process.pid} ended ({how}){reason}, starting another{again}")

    def drain(self, seconds: float) -> None:
        """Have all of them finish their connections, for so long at most; nothing is started any more."""
        self.leaving = True
        for process in self.processes:
            process.drain(seconds)

    def _start(self, number: int, now: float) -> None:
        self.problem = ""
        try:
            for _ in range(number):
                self.processes.append(self._fork(self.loaded))
        except OSError as error:
            self.problem = f"no process can be had: {error.strerror}"
            self._pause_until = now + _NO_PROCESS_PAUSE
            self._say("error", self.problem)

    def _missing(self) -> int:
        # One worn worker at a time has another beside it, so that memory is not needed twice.  Where connections last
        # and last, the worn stay: there would be ever more processes.
        draining = sum(process.draining for process in self.processes)
        wanted = self._size + (bool(self._worn) and draining < self._size)
        return max(0, wanted - len(self.processes) + draining)

    def _why_worn(self, process: Process, now: float) -> str:
        config = self.loaded.config
        if config.worker_sessions and process.figures["served"] >= config.worker_sessions:
            return f"it has served {process.figures['served']} connections"
        # What grows too much as soon as it begins is not to be forked again and again.
        old = now - process.begun > _SHORT_LIFE
        if config.worker_memory and process.grown > config.worker_memory and old:
            return f"it has grown by {process.grown / (1 << 20):.0f} MiB"
        return ""


class Process:
    """One forked worker, which keeps to one `processor`.  `begun` is on the clock of time.monotonic.

    `figures` are {} until it serves, `failed` says why it never will; `draining` that it takes no new connection.
    `answered` is False from a probe until its answer; `unanswered` are the probes in a row that had none.
    """

    def __init__(self, pid: int, control: socket.socket, begun: float, processor: int) -> None:
        self.pid = pid
        self.control = control
        self.begun = begun
        self.processor = processor
        self.figures: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.failed = ""
        self.draining = False
        self.answered = True
        self.unanswered = 0
        self._input = b""
        control.setblocking(False)

    @property
    def ready(self) -> bool:
        """True when it serves, or did until it was told to drain."""
        return bool(self.figures)

    @property
    def serving(self) -> bool:
        """True while it takes new connections."""
        return self.ready and not self.draining

    @property
    def grown(self) -> float:
        """Bytes in memory that it did not have when it began to serve."""
        return self.figures.get("rss", 0) - self.first.get("rss", 0)

    def read(self) -> bool:
        """Take over what it has written; False when there will be nothing more."""
        try:
            while data := self.control.recv(65536):
                self._take(data)
        except BlockingIOError:
            return True
        except ConnectionError:
            pass
        return False

    def probe(self) -> None:
        """Ask for its figures."""
        self.unanswered = 0 if self.answered else self.unanswered + 1
        self.answered = False
        self._order("probe")

    def drain(self, seconds: float) -> None:
        """Have it finish its connections, for so long at most, and end.  The shortest time counts."""
        self.draining = True
        self._order(f"drain {seconds:g}")

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def _order(self, line: str) -> None:
        # One that does not read is seen by the probes that it does not answer.
        with suppress(OSError):
            self.control.send(line.encode() + b"\n")

    def _take(self, data: bytes) -> None:
        *lines, self._input = (self._input + data).split(b"\n")
        for said in map(json.loads, lines):
            self.failed = said.get("failed", "")
            if not self.failed:
                self.figures, self.answered = said, True
                self.first = self.first or said
