"""The workers of one generation: keeps their number, replaces worn ones, and restarts those that die."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from math import inf
from typing import Any

from turfmilter.daemon.reload import Loaded, Say

# Seconds for open connections after a reload: a connection of the MTA lasts as long as its client's, and no client is
# to be cut off by a new generation.
DRAIN_SECONDS = 3600.0
_BOOT_SECONDS = 60.0  # seconds until a worker must serve, on a very busy machine
# Unanswered probes in a row, about half a minute, after which a worker is killed: sooner than a service manager's
# watchdog, which would end all workers because of one.
_PATIENCE = 15
_SHORT_LIFE = 10.0  # seconds; a worker that dies younger is restarted after a pause, not at once
_MAX_PAUSE_SECONDS = 60.0  # seconds; the pause doubles with each worker that dies young
_NO_PROCESS_PAUSE = 5.0  # seconds until the next attempt if fork fails


class End(Enum):
    """Why a worker has ended."""

    REPLACED = "replaced"  # because of worker_sessions or worker_memory
    RELOAD = "reload"  # its generation was replaced
    UNRESPONSIVE = "unresponsive"  # killed: it was not ready, or did not answer
    DIED = "died"


class Fleet:
    """The workers of one generation.  Starts empty; `settle` starts the missing ones.  Times: time.monotonic()."""

    def __init__(self, loaded: Loaded, fork: Callable[[Loaded], Process], say: Say) -> None:
        self.loaded = loaded
        self.processes: list[Process] = []
        self.leaving = False
        self.problem = ""  # why no worker could be started at the last attempt
        self._fork = fork
        self._say = say
        self._size = loaded.config.workers or len(os.sched_getaffinity(0))
        self._died_young = 0
        self._pause_until = 0.0
        self._worn: list[Process] = []

    @property
    def ready(self) -> bool:
        """True if the configured number of workers serves."""
        return sum(process.serving for process in self.processes) >= self._size

    @property
    def resumes(self) -> float:
        """When `settle` must be called to restart a worker after its pause; infinite if there is none."""
        return self._pause_until if self._missing() and not self.leaving else inf

    def settle(self, now: float) -> None:
        """Start missing workers, and drain each worn worker for which a replacement serves."""
        if self.leaving:
            return
        self._worn = [process for process in self.processes if process.serving and self._why_worn(process, now)]
        if now >= self._pause_until:
            self._start(self._missing(), now)
        serving = sum(process.serving for process in self.processes)
        for process in self._worn[: max(0, serving - self._size)]:
            self._say("info", f"worker {process.pid} is being replaced: {self._why_worn(process, now)}")
            process.end = End.REPLACED
            process.drain(DRAIN_SECONDS)

    def weed(self, now: float) -> None:
        """Kill workers that never started to serve or have stopped answering, even if they are draining."""
        for process in self.processes:
            if not process.ready and now - process.begun > _BOOT_SECONDS:
                process.failed = f"it was not ready within {_BOOT_SECONDS:g} s"
            elif process.ready and process.unanswered >= _PATIENCE:
                process.failed = "it stopped answering"
            else:
                continue
            process.end = End.UNRESPONSIVE
            process.kill()

    def ended(self, process: Process, how: str, now: float) -> None:
        """Remove a worker that has ended; `how` is "signal N" or "exit N"."""
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
        """Let all workers finish their connections within `seconds`, and start no more workers."""
        self.leaving = True
        for process in self.processes:
            process.end = process.end if process.draining else End.RELOAD
            process.drain(seconds)

    def _start(self, number: int, now: float) -> None:
        self.problem = ""
        try:
            for _ in range(number):
                self.processes.append(self._fork(self.loaded))
        except OSError as error:
            self.problem = f"cannot start a worker process: {error.strerror}"
            self._pause_until = now + _NO_PROCESS_PAUSE
            self._say("error", self.problem)

    def _missing(self) -> int:
        # Worn workers are replaced one at a time, so that memory is not needed twice.  If connections of draining
        # workers last very long, no more are replaced: the number of processes would grow without limit.
        draining = sum(process.draining for process in self.processes)
        wanted = self._size + (bool(self._worn) and draining < self._size)
        return max(0, wanted - len(self.processes) + draining)

    def _why_worn(self, process: Process, now: float) -> str:
        config = self.loaded.config
        if config.worker_sessions and process.figures["served"] >= config.worker_sessions:
            return f"it has served {process.figures['served']} connections"
        # A worker that exceeds the limit right from its start must not be replaced again and again.
        old = now - process.begun > _SHORT_LIFE
        if config.worker_memory and process.grown > config.worker_memory and old:
            return f"it has grown by {process.grown / (1 << 20):.0f} MiB"
        return ""


class Process:
    """A forked worker as the supervisor sees it, bound to one `processor`; `begun` is a time.monotonic() value.

    `figures` is the last report, {} until the worker serves; `first` is the first report.  `failed` says why it will
    not serve.  `end` is why it ends, if it ends now.  `draining` means that it accepts no new connections.
    `answered` is False from a probe until its answer; `unanswered` counts the probes in a row without one.
    """

    STATES = ("starting", "serving", "full", "draining")

    def __init__(self, pid: int, control: socket.socket, begun: float, processor: int) -> None:
        self.pid = pid
        self.control = control
        self.begun = begun
        self.processor = processor
        self.figures: dict[str, Any] = {}
        self.first: dict[str, Any] = {}
        self.failed = ""
        self.end = End.DIED
        self.draining = False
        self.answered = True
        self.unanswered = 0
        self._input = b""
        control.setblocking(False)

    @property
    def ready(self) -> bool:
        """True once it has started to serve, even if it is draining now."""
        return bool(self.figures)

    @property
    def serving(self) -> bool:
        """True while it accepts new connections."""
        return self.ready and not self.draining

    @property
    def state(self) -> str:
        """One of STATES; `full` means that it accepts no connections until some close."""
        if self.draining:
            return "draining"
        if not self.ready:
            return "starting"
        return "full" if self.figures["full"] else "serving"

    @property
    def grown(self) -> float:
        """Growth of its resident memory since it began to serve, in bytes."""
        return float(self.figures.get("rss", 0) - self.first.get("rss", 0))

    def read(self) -> bool:
        """Read its reports without blocking; False if it has closed its end."""
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
        """Let it finish its connections within `seconds` and exit; if called again, the earlier deadline applies."""
        self.draining = True
        self._order(f"drain {seconds:g}")

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def _order(self, line: str) -> None:
        # A worker that does not read is detected by its unanswered probes.
        with suppress(OSError):
            self.control.send(line.encode() + b"\n")

    def _take(self, data: bytes) -> None:
        *lines, self._input = (self._input + data).split(b"\n")
        for said in map(json.loads, lines):
            self.failed = said.get("failed", "")
            if not self.failed:
                self.figures, self.answered = said, True
                self.first = self.first or said


def how(status: int) -> str:
    """Return how a process has ended, from the status of waitpid(2): "signal 9" or "exit 1"."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit {code}"


def idle_processor(processes: Iterable[Process]) -> int:
    """Return the processor with the fewest workers that accept new connections."""
    taken = Counter(process.processor for process in processes if not process.draining)
    return min(sorted(os.sched_getaffinity(0)), key=lambda number: taken[number])
