"""A systemd unit without systemd: its file is obeyed as far as a machine that does not run systemd allows."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

from rig.server import Program

_PLACES = {"RuntimeDirectory": "/run", "StateDirectory": "/var/lib"}


class Unit:
    """The unit file `path`."""

    def __init__(self, path: Path) -> None:
        lines = (line.partition("=") for line in path.read_text().splitlines() if line and line[0] not in "#[")
        self._settings = [(name, value) for name, _, value in lines]

    def all(self, name: str) -> list[str]:
        """The values of every line with that name."""
        return [value for key, value in self._settings if key == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def program(self, output: Path, ready: Callable[[], bool]) -> Program:
        """Its ExecStart, as its user and with its directories, which are created."""
        user = pwd.getpwnam(self["User"])
        for key, above in _PLACES.items():
            directory = Path(above, self[key])
            directory.mkdir(parents=True, exist_ok=True)
            os.chown(directory, user.pw_uid, user.pw_gid)
        program, *arguments = self["ExecStart"].split()
        found = shutil.which(program)
        assert found is not None, f"{program} is not installed"
        # A checkout may be in a directory that only root can enter.
        reach = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
        identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "--no-new-privs"]
        limits = ["prlimit", f"--nofile={self['LimitNOFILE']}"]
        return Program([*limits, "setpriv", *identity, *reach, found, *arguments], output, ready)
