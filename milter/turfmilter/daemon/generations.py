"""The generation that serves, the one that is being started, and those whose last connections are finishing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from turfmilter.core.ports import Level
from turfmilter.daemon.events import RELOAD_FAILED, WORKER_DIED, Events
from turfmilter.daemon.fleet import DRAIN_SECONDS, End, Fleet, Process
from turfmilter.daemon.notify import Notify
from turfmilter.daemon.reload import FileStates, Loaded, Loading, Program, WatchedFiles, cannot_change, file_states
from turfmilter.daemon.status import Status


class WorkerFailed(Exception):
    """The first workers could not be started; the text gives the reason."""


class Generations:
    """Replaces one generation by the next in a transaction, and starts with the generation `loaded`.

    The next generation is loaded and checked, its workers are started, and only when all of them serve, those of the
    old one are told to drain.  If anything fails before that, the old generation stays in force.

    `begun` is when reading `loaded` began, in seconds since the epoch.  `fork` starts a worker; `wake` makes the
    supervisor call `settle` soon; `publish` writes the status.  Other times are time.monotonic() values.
    """

    def __init__(
        self,
        program: Program,
        loaded: Loaded,
        begun: float,
        *,
        fork: Callable[[Loaded], Process],
        wake: Callable[[], None],
        publish: Callable[[], None],
        notify: Notify,
    ) -> None:
        self.status = Status(program.clock)
        self.events = Events(program.clock, self.say)
        self.serving: Fleet | None = None
        self._program = program
        self._fork = fork
        self._wake = wake
        self._publish = publish
        self._notify = notify
        self._log = program.log(loaded.config)
        self._number = loaded.generation.number  # of the latest generation, even if it could not serve
        self._before: FileStates = {}  # of the files, when the current load began
        self._watch = WatchedFiles(loaded.config.files, self._before, begun)
        self._coming: Fleet | None = Fleet(loaded, fork, self.say)
        self._leaving: list[Fleet] = []
        self._loading: Loading | None = None
        self._again = False
        self._may_shrink = False  # whether the next reload may make tables much smaller
        self._shrunken: tuple[str, ...] = ()  # warnings about tables of the coming generation
        self.outcome: dict[str, Any] = {}  # of the last reload, for who ordered it
        self._difference = ""  # between the coming generation and the one that serves

    @property
    def settled(self) -> Loaded | None:
        """The generation that serves; None before the first one, and during a load.

        A load runs in a thread.  A fork meanwhile could copy a lock that this thread holds, so there must be none.
        """
        return self.serving.loaded if self.serving and not self._loading else None

    @property
    def busy(self) -> bool:
        """True while a generation is being loaded or started, or is to be."""
        return bool(self._loading or self._coming or self._again)

    @property
    def fleets(self) -> list[Fleet]:
        """The generations that have workers, as fleets."""
        return [fleet for fleet in (self.serving, self._coming, *self._leaving) if fleet]

    @property
    def processes(self) -> Iterator[tuple[Fleet, Process]]:
        """All workers, each with the fleet that it belongs to."""
        return ((fleet, process) for fleet in self.fleets for process in fleet.processes)

    @property
    def outline(self) -> object:
        """A value that changes whenever there is something new to report about generations and workers."""
        return self.status.failures, [(process.pid, process.ready, process.draining) for _, process in self.processes]

    def say(self, level: Level, sentence: str, *, of_files: bool = False) -> None:
        """Log a sentence; errors also appear in the status, those `of_files` until a new generation is loaded."""
        self._log.say(level, sentence)
        if level == "error":
            self.status.noted(sentence, of_files=of_files)

    def reload(self, *, may_shrink: bool = False) -> None:
        """Load the next generation; with `may_shrink`, even if tables have lost most of their entries.

        If one is being loaded or started, load again afterwards: it may have read files before they changed.
        """
        self._may_shrink = self._may_shrink or may_shrink
        if self._loading or self._coming or not self.serving:
            self._again = True
            return
        self._again = False
        self._notify.reloading()
        self._before = file_states(self._watch.files)
        number = self._number + 1
        old, begun, may_shrink = self.serving.loaded.config, self._program.clock.now(), self._may_shrink
        self._may_shrink = False  # consent is for one reload
        self._loading = Loading(lambda: self._program.load(number), old, begun, self._wake, may_shrink=may_shrink)

    def look_at_files(self) -> None:
        """Reload if a file in use has changed."""
        if not self._loading and not self._coming and self._watch.changed():
            self.say("info", "a file in use has changed")
            self.reload()

    def settle(self, now: float) -> None:
        """Advance loading, starting and replacing as far as possible now.  Raises WorkerFailed."""
        for fleet in self.fleets:
            fleet.weed(now)
        if self._loading:
            if self._loading.done:
                self._finish_loading(self._loading)
            return  # no fork while another thread runs, see `settled`
        if self._coming:
            self._coming.settle(now)
            if self._coming.problem:
                self._give_up(self._coming, self._coming.problem)
            elif self._coming.ready:
                self._take_over(self._coming)
        elif self.serving:
            self.serving.settle(now)

    def ended(self, pid: int, how: str, now: float) -> None:
        """Account for the worker `pid`, which has ended; `how` is "signal N" or "exit N".  Raises WorkerFailed."""
        for fleet, process in list(self.processes):
            if process.pid == pid:
                process.read()  # its last report, which may say why it failed
                process.control.close()
                if how != "exit 0" and process.end is not End.UNRESPONSIVE:
                    process.end = End.DIED
                self.status.ended(process)
                if fleet is self._coming:
                    fleet.processes.remove(process)
                    self._give_up(fleet, process.failed or f"a worker ended ({how})")
                else:
                    fleet.ended(process, how, now)
                if process.end in (End.DIED, End.UNRESPONSIVE):
                    text = f"worker {pid} ended ({how})" + (f": {process.failed}" if process.failed else "")
                    self.events.tell(WORKER_DIED, text, pid=pid, how=how)
        self._leaving = [fleet for fleet in self._leaving if fleet.processes]

    def drain(self, seconds: float) -> None:
        """Let all workers finish their connections within `seconds`, and drop any load in progress."""
        self._leaving = [fleet for fleet in self.fleets if fleet is not self.serving]
        self._loading = self._coming = None
        for fleet in self.fleets:
            fleet.drain(seconds)

    def close(self) -> None:
        """Write the remaining lines of the log."""
        if self.serving:
            self._log.stop()

    def _finish_loading(self, loading: Loading) -> None:
        loading.join()
        self._loading = None
        if loading.loaded:
            self._difference, self._shrunken = loading.difference, loading.shrunken
            self._introduce(loading.loaded, loading.begun)
        else:
            # Also watch the files with the problems, which may not be in use yet: a fix must cause a reload.
            self._watch = WatchedFiles((*self._before, *loading.files), self._before, loading.begun)
            self._refuse(loading.problems)

    def _introduce(self, loaded: Loaded, begun: float) -> None:
        """Start the workers of a loaded generation."""
        self._watch = WatchedFiles(loaded.config.files, self._before, begun)
        self._number = loaded.generation.number
        self._coming = Fleet(loaded, self._fork, self.say)

    def _take_over(self, fleet: Fleet) -> None:
        """Put `fleet` in force; the old generation accepts no new connections from here on."""
        # All workers of `fleet` accept connections already, so there is no moment in which none does.
        old, self.serving, self._coming = self.serving, fleet, None
        self.status.renewed(fleet.loaded, self._shrunken)
        if old:
            old.drain(DRAIN_SECONDS)
            self._leaving.append(old)
            self._tell_of_change(old.loaded, fleet.loaded)
        else:
            self._log.start()
            self._tell_of_copy(fleet.loaded)
        self._go_on()

    def _tell_of_change(self, old: Loaded, new: Loaded) -> None:
        if old.config.log != new.config.log:
            self._log.stop()
            self._log = self._program.log(new.config)
            self._log.start()
        self.say("info", f"generation {new.generation.number}: {self._difference}")
        warnings = [*self._shrunken, *new.warnings, *cannot_change(old.config, new.config)]
        self.outcome = {"generation": new.generation.number, "difference": self._difference, "warnings": warnings}
        for sentence in warnings:
            self.say("warning", sentence)

    def _tell_of_copy(self, loaded: Loaded) -> None:
        if not loaded.copy_since:
            return
        started = f"ALARM: started from the copy of the generation of {loaded.copy_since}: the files are broken"
        for sentence in (started, *loaded.broken):
            self.say("error", sentence, of_files=True)

    def _give_up(self, fleet: Fleet, reason: str) -> None:
        if self.serving is None:
            raise WorkerFailed(f"no worker process could be started: {reason}")
        fleet.drain(DRAIN_SECONDS)
        self._coming = None
        self._leaving.append(fleet)
        self._refuse((f"the workers of the new one could not be started: {reason}",))

    def _refuse(self, problems: Iterable[str]) -> None:
        number = self.serving.loaded.generation.number if self.serving else 0
        problems = tuple(problems)
        for problem in problems:
            self.say("error", f"generation {number} stays in force: {problem}", of_files=True)
        self.status.failed(problems)
        self.outcome = {"generation": number, "problems": problems}
        text = f"generation {number} stays in force: {problems[0]}" if problems else "the reload failed"
        self.events.tell(RELOAD_FAILED, text, generation=number, problems=problems)
        self._go_on()

    def _go_on(self) -> None:
        """End the transaction: report ready, and start the next one if it was requested meanwhile."""
        if self.serving:
            self._publish()  # first: `systemctl restart` returns at READY, and `turfctl status` may be the next command
            self._notify.ready(f"generation {self.serving.loaded.generation.number}")
        if self._again:
            self.reload()
