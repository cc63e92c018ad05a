"""The filter itself as a child: `python -m turfmilter -f -c FILE`."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from rig import wait
from rig.manager import Manager
from rig.process import Process

_SOURCE = Path(__file__).parents[2] / "milter"


class Daemon:
    """turfmilter in the foreground, with the configuration file `config`, listening at `socket`.

    What it tells its service manager is heard by `manager`, which waits for signs of life every `watchdog` seconds.

    `socket` is as the configuration writes it (unix:PATH or inet:PORT@HOST).  Started by root, it needs `user` in its
    configuration.  Its log (to = "stderr") and all else that it writes stand in `log_file`.
    """

    def __init__(self, config: Path, socket: str | Path, *, watchdog: float = 0.0) -> None:
        self.socket = socket
        self.log_file = config.with_suffix(".log")
        program: list[str | Path] = [sys.executable, "-m", "turfmilter", "-f", "-c", config]
        self.manager = Manager(config.with_suffix(".notify"))
        environment = {"PYTHONPATH": str(_SOURCE), "NOTIFY_SOCKET": str(self.manager.path)}
        if watchdog:
            environment["WATCHDOG_USEC"] = str(round(watchdog * 1e6))
        self.process = Process(program, self.log_file, env=environment)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, seconds: float = wait.AMPLE) -> None:
        """Start it, and return when it says that it serves.

        Raises ProcessEnded, with its exit status and what it said, when it ends instead.
        """
        self.manager.open()
        self.process.start(lambda: self.manager.heard("READY=1"), seconds)

    def stop(self, seconds: float = wait.AMPLE) -> int:
        """End it with TERM; its exit status.  Raises RuntimeError when anything of it had to be killed."""
        try:
            return self.process.stop(seconds)
        finally:
            self.manager.close()

    def kill(self) -> None:
        """End it and its workers with KILL, as a crash of the machine would."""
        self.process.kill()

    def workers(self) -> list[int]:
        """The process ids of its workers.  Its other processes, which live for a moment only, have no socket."""
        return [pid for pid in self.process.children() if any(map(_is_socket, open_files(pid)))]

    def log(self) -> str:
        """What it has said so far."""
        return self.process.text()

    def wait_for_log(self, pattern: str, seconds: float = wait.AMPLE) -> re.Match[str]:
        """The first place in the log that matches the regular expression.  Raises TimeoutError with the log."""
        found = wait.until(lambda: re.search(pattern, self.log()), lambda: f"{pattern!r} in:\n{self.log()}", seconds)
        assert found is not None
        return found


def _is_socket(file: str) -> bool:
    return file.startswith("socket:")


def open_files(pid: int) -> set[str]:
    """What a process has open, as /proc shows it; nothing when it has gone."""
    found = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed while we looked
                found.add(str(one.readlink()))
    return found
