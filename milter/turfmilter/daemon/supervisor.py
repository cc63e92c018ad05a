"""The supervisor: the process that owns the socket and the signals, and forks the workers; it runs no libmilter."""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from math import inf
from typing import NoReturn

from turfmilter.core.ports import Level
from turfmilter.daemon import worker
from turfmilter.daemon.background import Caller
from turfmilter.daemon.control import Client, Control
from turfmilter.daemon.errands import Copier, Errand, Upkeep
from turfmilter.daemon.fleet import Process, how, idle_processor
from turfmilter.daemon.generations import Generations
from turfmilter.daemon.listener import MilterSocket
from turfmilter.daemon.notify import Notify
from turfmilter.daemon.published import Published
from turfmilter.daemon.questions import Questions
from turfmilter.daemon.reload import Loaded, Program
from turfmilter.daemon.signals import Signals
from turfmilter.mta.engines import choose
from turfmilter.telemetry.metric import exposition
from turfmilter.telemetry.metrics import METRICS

_BEAT = 2.0  # seconds between two probes of the workers, checks of the files in use, and writes of the status
_STOP_SECONDS = 30.0  # seconds for open connections to finish when the daemon stops
_GRACE = 5.0  # seconds after that for the workers to exit before they are killed


class Supervisor:
    """Keeps workers running until it is told to stop.

    The first workers serve `loaded`, which began to be read at `begun`, in seconds since the epoch; `caller` waits
    for them.  Signals: HUP reloads, TERM or INT stops, a second one stops at once, CHLD collects children.
    """

    def __init__(
        self, listener: MilterSocket, program: Program, loaded: Loaded, begun: float, *, caller: Caller, notify: Notify
    ) -> None:
        self._listener = listener
        self._program = program
        self._caller = caller
        self._notify = notify
        self._signals = Signals()
        self._generations = Generations(
            program,
            loaded,
            begun,
            fork=self._fork,
            wake=self._signals.wake,
            publish=lambda: self._write_status(time.monotonic()),
            notify=notify,
        )
        self._upkeep = Upkeep(program.look_after, self._generations.say, program.clock.now())
        self._upkeep.expect(loaded.config)
        self._copier = Copier(program.keep, self._generations.say)
        self._events = self._generations.events
        self._errands = (self._upkeep.errand, self._copier.errand, self._events.errand)
        self._questions = Questions(program.explain, self._fork_errand)
        self._control = Control(
            self._generations.reload,
            lambda client, request: self._questions.begin(client, request, self._generations.settled),
            partial(self._generations.say, "warning"),
        )
        self._interval = min(_BEAT, notify.interval or _BEAT)
        self._next_beat = 0.0
        warn = partial(self._generations.say, "warning")
        self._status, self._metrics = Published("status", 0o640, warn), Published("metrics", 0o644, warn)
        self._outline: object = None  # of generations and workers when the status was last written
        self._lost = False  # whether the socket's path was removed or replaced
        self._stopping = False
        self._kill_at = 0.0

    def run(self, greeting: Iterable[tuple[Level, str]]) -> None:
        """Serve until SIGTERM or SIGINT; `greeting` is logged as soon as the first workers serve.

        Raises WorkerFailed if they cannot be started.
        """
        try:
            self._until(lambda: self._stopping or self._generations.serving is not None)
            if not self._stopping:
                self._greet(greeting)
            self._until(lambda: self._stopping and not any(self._generations.processes))
        finally:
            self._kill_workers()
        self._generations.say("info", "stopped")
        self._generations.close()

    def _greet(self, greeting: Iterable[tuple[Level, str]]) -> None:
        self._caller.ready()
        self._caller = Caller()
        for level, sentence in greeting:
            self._generations.say(level, sentence)

    def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            now = time.monotonic()
            if now >= self._next_beat:
                self._beat(now)
            if self._stopping and now >= self._kill_at:
                self._kill_workers()
            self._generations.settle(now)
            self._answer_orders(now)
            self._begin_errands(now)  # after settle, which may have started a load: none is forked during one
            if self._generations.outline != self._outline:
                self._write_status(now)
            if not done():  # the caller of a start must not wait until the next beat
                self._wait()

    def _wait(self) -> None:
        """Wait for reports and signals and handle them; returns when something is due, such as the next beat."""
        times = [self._next_beat, *self._errands_due(), *(fleet.resumes for fleet in self._generations.fleets)]
        with selectors.PollSelector() as selector:
            selector.register(self._signals.waiting, selectors.EVENT_READ)
            for _, process in self._generations.processes:
                selector.register(process.control, selectors.EVENT_READ, process)
            read: list[Errand | Control | Client] = [*self._errands, self._control, *self._control.clients]
            for one in read:
                if one.waiting >= 0:
                    selector.register(one.waiting, selectors.EVENT_READ, one)
            for key, _ in selector.select(max(0.0, min(times) - time.monotonic())):
                if key.data:
                    key.data.read()
        for number in self._signals.received():
            self._handle(number)

    def _answer_orders(self, now: float) -> None:
        """Listen where the generation in force has the control socket, and answer when the reloads have ended."""
        if self._generations.serving and not self._stopping:
            path = self._generations.serving.loaded.config.control
            self._control.settle(path, self._generations.outcome if not self._generations.busy else None, now)

    def _handle(self, number: int) -> None:
        if number == signal.SIGCHLD:  # one SIGCHLD may report several children
            self._reap()
        elif number != signal.SIGHUP:
            self._stop()
        elif not self._stopping:
            self._generations.reload()

    def _beat(self, now: float) -> None:
        """Feed the watchdog if all workers have answered, probe them again, and check the socket and files."""
        self._next_beat = now + self._interval
        processes = [process for _, process in self._generations.processes]
        if all(process.answered for process in processes):
            self._notify.alive()
        self._write_status(now)
        for process in processes:
            process.probe()
        if not self._stopping:
            self._look_at_socket()
            self._generations.look_at_files()

    def _look_at_socket(self) -> None:
        """Log once that the socket's path was removed or replaced."""
        lost, self._lost = self._lost, self._listener.lost
        if self._lost and not lost:
            sentence = "socket: its file was removed or replaced, so no MTA can connect; restart turfmilter"
            self._generations.say("error", sentence)

    def _stop(self) -> None:
        """Stop after open connections have finished; when called again, at once."""
        if self._stopping:
            self._kill_workers()
            return
        self._stopping = True
        self._kill_at = time.monotonic() + _STOP_SECONDS + _GRACE
        self._generations.say("info", "stopping: waiting for open connections to finish")
        self._notify.stopping()
        # These files before the socket: once the socket is closed, the next daemon may own their paths.
        self._status.remove()
        self._metrics.remove()
        self._control.close()
        self._listener.close()
        self._generations.drain(_STOP_SECONDS)

    def _reap(self) -> None:
        """Collect the children that have ended: errands and workers."""
        if self._upkeep.errand.reap():
            self._generations.status.looked_after(self._upkeep.errand)
            self._events.looked_after(self._upkeep.errand.more)
        self._events.errand.reap()
        self._copier.reap()
        self._questions.reap()
        for _, process in list(self._generations.processes):
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            if pid:
                self._generations.ended(pid, how(status), time.monotonic())

    def _kill_workers(self) -> None:
        for _, process in self._generations.processes:
            process.kill()

    def _write_status(self, now: float) -> None:
        """Write the status file and the metrics file, as configured."""
        self._outline = self._generations.outline
        fleet = self._generations.serving
        if fleet is None or self._stopping:
            return
        config, status = fleet.loaded.config, self._generations.status
        said = status.now(fleet.loaded, self._generations.fleets, now) if config.status or config.metrics else {}
        self._status.write(config.status, lambda: json.dumps(said, indent=2) + "\n")
        self._metrics.write(config.metrics, lambda: exposition(METRICS, said["metrics"]))

    def _fork(self, loaded: Loaded) -> Process:
        """Start a worker for `loaded`.  Raises OSError."""
        # A collection writes to every object, which would unshare the pages of the tables in each worker.
        gc.freeze()
        ours, theirs = socket.socketpair()
        processor = idle_processor(process for _, process in self._generations.processes)
        try:
            pid = self._child(lambda: self._work(loaded, ours, theirs, processor))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Process(pid, ours, time.monotonic(), processor)

    def _child(self, act: Callable[[], NoReturn]) -> int:
        """Run `act` in a forked child, and return its process id.  Raises OSError."""
        # Blocked until both sides are set up: a handler in the child would write to the supervisor's socket.
        self._signals.hold()
        try:
            pid = os.fork()
            if pid == 0:
                self._be_child(act)
            return pid
        finally:
            self._signals.release()

    def _be_child(self, act: Callable[[], NoReturn]) -> NoReturn:
        """Run `act` and exit, whatever happens: returning would run the supervisor's cleanup, and remove its socket."""
        try:
            # The signals are still blocked here; worker and errand unblock them after they have set their handlers.
            self._signals.forget()
            self._caller.let_go()
            self._control.forget()
            # As long as any process holds one of these ends, its worker cannot see that the supervisor has died.
            for _, process in self._generations.processes:
                process.control.close()
            act()
        finally:
            os._exit(worker.FAILED)

    def _work(self, loaded: Loaded, ours: socket.socket, theirs: socket.socket, processor: int) -> NoReturn:
        """Serve as a worker, in the child."""
        ours.close()
        _keep_to(processor)
        log = self._program.log(loaded.config)
        listening = self._listener.socket.fileno()
        service = partial(self._program.service, loaded)
        start = choose(loaded.config.protocol_engine).start
        worker.run(listening, theirs, service, log, _STOP_SECONDS, start)

    def _errands_due(self) -> tuple[float, float, float]:
        """When the upkeep of the quarantines, the copy of the configuration and the command for an event are due."""
        loaded = self._generations.settled
        if loaded is None or self._stopping:
            return inf, inf, inf
        return self._upkeep.due(loaded.config), self._copier.due(loaded), self._events.due(loaded.config.events)

    def _begin_errands(self, now: float) -> None:
        upkeep, copy, event = self._errands_due()
        loaded = self._generations.settled
        if loaded and now >= upkeep:
            self._upkeep.begin(loaded.config, self._fork_errand, now)
        if loaded and now >= copy:
            self._copier.begin(loaded, self._fork_errand, now)
        if loaded and now >= event:
            self._events.begin(loaded.config.events, self._fork_errand)

    def _fork_errand(self, act: Callable[[], NoReturn]) -> int:
        gc.freeze()
        return self._child(lambda: self._without_socket(act))

    def _without_socket(self, act: Callable[[], NoReturn]) -> NoReturn:
        """Run `act` without the socket: a child stuck on a disk must not keep the next daemon from binding it."""
        self._listener.socket.close()
        act()


def _keep_to(processor: int) -> None:
    """Bind this process to `processor`: Python's threads share a lock, and on several they double a session's cost."""
    with suppress(OSError):  # a service manager may prevent this
        os.sched_setaffinity(0, {processor})
