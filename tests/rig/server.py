"""What a test starts and stops: a server in a thread of its own, or a program."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from rig import wait
from rig.process import Process


class Server(ABC):
    """Serves from start() to stop(); a `with` statement calls both."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Start, and return when it serves."""

    @abstractmethod
    def stop(self) -> object:
        """Stop, and return when nothing of it is left; does nothing if it is not running."""


class Program(Server):
    """A server that is a program: `command`, which serves as soon as `ready` returns true.

    What it prints goes to the file `output`, which is also its log unless it has a `log_file`.  `env` is added to our
    own environment.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        output: Path,
        ready: Callable[[], bool],
        *,
        log_file: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.process = Process(command, output, env=env)
        self.log_file = log_file or output
        self._ready = ready

    def start(self, seconds: float = wait.AMPLE) -> None:
        """Start it, and return when it serves.

        Raises ProcessEnded if it ends instead, and TimeoutError after `seconds`, both with what it printed.
        """
        try:
            self.prepare()
            self.process.start(self._ready, seconds)
        except Exception as error:
            if self.log_file != self.process.output:
                error.add_note(self.log())
            self.clean_up()
            raise

    def stop(self, seconds: float = wait.AMPLE) -> int:
        """End it with TERM; its exit status.  Raises RuntimeError if any of its processes had to be killed."""
        try:
            return self.process.stop(seconds)
        finally:
            self.clean_up()

    def kill(self) -> None:
        """End it and all its processes with KILL, as a crash of the machine would."""
        self.process.kill()
        self.clean_up()

    def prepare(self) -> None:
        """Do what must be done before each start."""

    def clean_up(self) -> None:
        """Undo it after the end."""

    def pids(self) -> list[int]:
        """Its living processes."""
        return self.process.pids()

    def log(self) -> str:
        """Its log so far."""
        return self.log_file.read_text(errors="surrogateescape") if self.log_file.exists() else ""

    def wait_for_log(self, pattern: str, seconds: float = wait.AMPLE) -> re.Match[str]:
        """The first place in the log that matches the regular expression.  Raises TimeoutError with the log."""
        found = wait.until(lambda: re.search(pattern, self.log()), lambda: f"{pattern!r} in:\n{self.log()}", seconds)
        assert found is not None
        return found
