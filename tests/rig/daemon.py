"""The daemon as a child process: `python -m turfmilter -f -c FILE`."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from rig import proc
from rig.manager import Manager
from rig.server import Program

_SOURCE = Path(__file__).parents[2] / "milter"


class Daemon(Program):
    """turfmilter in the foreground, with the configuration file `config`, listening at `socket`.

    `manager` receives what it reports to its service manager, and expects a sign of life every `watchdog` seconds.

    `socket` is as the configuration writes it (unix:PATH or inet:PORT@HOST).  Started by root, it needs `user` in its
    configuration.  Its log (to = "stderr") and everything else that it prints is in `log_file`.
    """

    def __init__(self, config: Path, socket: str | Path, *, watchdog: float = 0.0) -> None:
        self.socket = socket
        self.manager = Manager(config.with_suffix(".notify"))
        environment = {"PYTHONPATH": str(_SOURCE), "NOTIFY_SOCKET": str(self.manager.path)}
        if watchdog:
            environment["WATCHDOG_USEC"] = str(round(watchdog * 1e6))
        super().__init__(
            [sys.executable, "-m", "turfmilter", "-f", "-c", config],
            config.with_suffix(".log"),
            lambda: self.manager.heard("READY=1"),
            env=environment,
        )

    def prepare(self) -> None:
        """Listen as its service manager."""
        self.manager.open()

    def clean_up(self) -> None:
        """Stop listening."""
        self.manager.close()

    def workers(self) -> list[int]:
        """The process ids of its workers.  Its other processes, which are short-lived, have no socket."""
        return [pid for pid in self.process.children() if any(map(_is_socket, open_files(pid)))]


def _is_socket(file: str) -> bool:
    return file.startswith("socket:")


def open_files(pid: int) -> set[str]:
    """What a process has open, as /proc shows it; nothing if it has ended."""

    def seen(process: Path) -> set[str]:
        found = set()
        for one in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed while we looked
                found.add(str(one.readlink()))
        return found

    return proc.each([pid], seen).get(pid, set())
