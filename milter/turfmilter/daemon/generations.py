"""The generation that serves, the one that is to follow it, and those whose last connections are being finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from turfmilter.core.ports import Level
from turfmilter.daemon.fleet import DRAIN_SECONDS, Fleet, Process
from turfmilter.daemon.notify import Notify
from turfmilter.daemon.reload import Loaded, Loading, Program, State, Watch, cannot_change, state
from turfmilter.daemon.status import Status


class WorkerFailed(Exception):
    """The first workers cannot begin; the text says why."""


class Generations:
    """A reload is a transaction: the next generation is loaded and checked, its workers begin, and only when all of
    them serve those of the old one are told to drain.  Whatever goes wrong before, the old one stays.

    It begins with `loaded`, which began to be read at `begun`, in seconds since the epoch.  `fork` starts a worker,
    `wake` has `settle` called soon.  Other times are those of time.monotonic.
    """

    def __init__(
        self,
        program: Program,
        loaded: Loaded,
        begun: float,
        *,
        fork: Callable[[Loaded], Process],
        wake: Callable[[], None],
        notify: Notify,
    ) -> None:
        self.status = Status(program.clock)
        self.serving: Fleet | None = None
        self._program = program
        self._fork = fork
        self._wake = wake
        self._notify = notify
        self._log = program.log(loaded.config)
        self._number = loaded.generation.number  # of the latest generation, even when it cannot serve
        self._before: State = {}  # of the files, when the load that is under way began
        self._watch = Watch(loaded.config.files, self._before, begun)
        self._coming: Fleet | None = Fleet(loaded, fork, self.say)
        self._leaving: list[Fleet] = []
        self._loading: Loading | None = None
        self._again = False
        self._shrunken: tuple[str, ...] = ()  # tables of the generation that comes
        self._difference = ""  # between the generation that comes and the one that serves

    @property
    def settled(self) -> Loaded | None:
        """What serves; None while there is nothing yet, or another thread runs, beside which nobody may fork."""
        return self.serving.loaded if self.serving and not self._loading else None

    @property
    def fleets(self) -> list[Fleet]:
        """All that have workers."""
        return [fleet for fleet in (self.serving, self._coming, *self._leaving) if fleet]

    @property
    def processes(self) -> Iterator[tuple[Fleet, Process]]:
        """All workers."""
        return ((fleet, process) for fleet in self.fleets for process in fleet.processes)

    @property
    def outline(self) -> object:
        """Is another one whenever there is something new to tell of generations and workers."""
        return self.status.failures, [(process.pid, process.ready, process.draining) for _, process in self.processes]

    def say(self, level: Level, sentence: str, *, of_files: bool = False) -> None:
        """To the log; what went wrong is shown by the status as well, what is wrong with files until that is over."""
        self._log.say(level, sentence)
        if level == "error":
            self.status.noted(sentence, of_files=of_files)

    def reload(self) -> None:
        """Make the next generation; once more when one is being made, which may have read what has changed since."""
        if self._loading or self._coming or not self.serving:
            self._again = True
            return
        self._again = False
        self._notify.reloading()
        self._before = state(self._watch.files)
        number = self._number + 1
        begun = self._program.clock.now().timestamp()
        self._loading = Loading(lambda: self._program.load(number), self.serving.loaded.config, begun, self._wake)

    def look_at_files(self) -> None:
        """Reload when one in use has changed."""
        if not self._loading and not self._coming and self._watch.changed():
            self.say("info", "a file in use has changed")
            self.reload()

    def settle(self, now: float) -> None:
        """Do what has become due.  Raises WorkerFailed."""
        for fleet in self.fleets:
            fleet.weed(now)
        if self._loading:
            if self._loading.done:
                self._finish_loading(self._loading)
            return  # nothing is forked while another thread runs
        if self._coming:
            self._coming.settle(now)
            if self._coming.problem:
                self._give_up(self._coming, self._coming.problem)
            elif self._coming.ready:
                self._take_over(self._coming)
        elif self.serving:
            self.serving.settle(now)

    def ended(self, pid: int, how: str, now: float) -> None:
        """A worker is no more.  Raises WorkerFailed."""
        for fleet, process in list(self.processes):
            if process.pid == pid:
                process.read()  # its last words
                process.control.close()
                self.status.ended(process)
                if fleet is self._coming:
                    fleet.processes.remove(process)
                    self._give_up(fleet, process.failed or f"a worker ended ({how})")
                else:
                    fleet.ended(process, how, now)
        self._leaving = [fleet for fleet in self._leaving if fleet.processes]

    def drain(self, seconds: float) -> None:
        """Have all workers finish their connections, for so long at most."""
        self._leaving = [fleet for fleet in self.fleets if fleet is not self.serving]
        self._loading = self._coming = None
        for fleet in self.fleets:
            fleet.drain(seconds)

    def close(self) -> None:
        """Write what is left of the log."""
        if self.serving:
            self._log.stop()

    def _finish_loading(self, loading: Loading) -> None:
        loading.join()
        self._loading = None
        if loading.loaded:
            self._difference, self._shrunken = loading.difference, loading.shrunken
            self._introduce(loading.loaded, loading.begun)
        else:
            self._watch = Watch((*self._before, *loading.files), self._before, loading.begun)
            self._refuse(loading.problems)

    def _introduce(self, loaded: Loaded, begun: float) -> None:
        """Let a generation's workers begin."""
        self._watch = Watch(loaded.config.files, self._before, begun)
        self._number = loaded.generation.number
        self._coming = Fleet(loaded, self._fork, self.say)

    def _take_over(self, fleet: Fleet) -> None:
        """The old generation takes no new connection any more."""
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
        for sentence in (*self._shrunken, *new.warnings, *cannot_change(old.config, new.config)):
            self.say("warning", sentence)

    def _tell_of_copy(self, loaded: Loaded) -> None:
        if not loaded.copy_since:
            return
        started = f"ALARM: started from the copy of the generation of {loaded.copy_since}: the files are broken"
        for sentence in (started, *loaded.broken):
            self.say("error", sentence, of_files=True)

    def _give_up(self, fleet: Fleet, reason: str) -> None:
        if self.serving is None:
            raise WorkerFailed(f"no worker can begin: {reason}")
        fleet.drain(DRAIN_SECONDS)
        self._coming = None
        self._leaving.append(fleet)
        self._refuse((f"its workers cannot begin: {reason}",))

    def _refuse(self, problems: Iterable[str]) -> None:
        number = self.serving.loaded.generation.number if self.serving else 0
        problems = tuple(problems)
        for problem in problems:
            self.say("error", f"generation {number} stays: {problem}", of_files=True)
        self.status.failed(problems)
        self._go_on()

    def _go_on(self) -> None:
        """The transaction is over."""
        if self.serving:
            self._notify.ready(f"generation {self.serving.loaded.generation.number}")
        if self._again:
            self.reload()
