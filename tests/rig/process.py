"""A child process with all its descendants: started in a session of its own, ended by process id, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rig import proc, wait
from rig.wait import AMPLE


class ProcessEnded(RuntimeError):
    """A program ended before it was ready, with exit status `status`."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Process:
    """A program as a child process.  What it prints on stdout and stderr goes to the file `output`.

    `env` is added to our own environment.
    """

    def __init__(self, command: Sequence[str | Path], output: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.command = [str(word) for word in command]
        self.output = output
        self._env = {**os.environ, **(env or {})}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 if it is not running."""
        return 0 if self._child is None else self._child.pid

    def start(self, ready: Callable[[], bool], seconds: float = AMPLE) -> None:
        """Start, and return when `ready`.  Raises ProcessEnded with the output if it ends before that."""
        with self.output.open("ab") as output:
            self._child = subprocess.Popen(
                # pdeathsig: the child ends if we are killed, and cannot be left behind.
                ["setpriv", "--pdeathsig", "TERM", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._env,
                start_new_session=True,
            )
        child = self._child
        try:
            wait.until(lambda: ready() or child.poll() is not None, lambda: f"{self.command}:\n{self.text()}", seconds)
        except BaseException:
            self.kill()
            raise
        if child.poll() is not None:
            self.kill()
            raise ProcessEnded(child.returncode, f"{self.command} ended with {child.returncode}:\n{self.text()}")

    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(errors="surrogateescape")

    def pids(self) -> list[int]:
        """The living processes of its session."""
        return [] if self._child is None else _session(self._child.pid)

    def children(self) -> list[int]:
        """The living processes of its session except itself."""
        return [pid for pid in self.pids() if pid != self.pid]

    def wait(self, seconds: float = AMPLE) -> int:
        """The exit status, once it has ended.  Raises subprocess.TimeoutExpired."""
        if self._child is None:
            raise RuntimeError(f"{self.command} was not started")
        return self._child.wait(seconds)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program itself."""
        os.kill(self.pid, number)

    def stop(self, seconds: float = AMPLE) -> int:
        """End it with TERM; its exit status.  Raises RuntimeError if any of its processes had to be killed."""
        if self._child is None:
            return 0
        if self._child.poll() is None:
            self.send(signal.SIGTERM)
        try:
            status = self.wait(seconds)
            wait.until(lambda: not self.pids(), lambda: f"the end of {self.pids()}", seconds)
        except (subprocess.TimeoutExpired, TimeoutError) as slow:
            left = self.pids()
            self.kill()
            raise RuntimeError(f"{self.command} did not end, processes {left}:\n{self.text()}") from slow
        self._child = None
        return status

    def kill(self) -> None:
        """End it and all its descendants with KILL, at once."""
        if self._child is None:
            return
        while pids := self.pids():  # a process may fork while we look
            for pid in pids:
                _kill(pid)
            if self._child.pid in pids:
                self._child.wait()
        self._child.wait()
        self._child = None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended a moment ago


def _session(leader: int) -> list[int]:
    def living(process: Path) -> bool:
        state, _, _, session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
        return int(session) == leader and state not in "ZX"

    return [pid for pid, found in proc.each(proc.all_pids(), living).items() if found]
