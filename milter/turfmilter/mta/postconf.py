"""Queries Postfix's configuration with its own programs, postconf(1) and postmap(1)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from turfmilter.config.descent import Strange, require_changed_by
from turfmilter.config.received import MAIN_CF, PostfixError
from turfmilter.importers.mastercf import MasterService, read_services

_DIRECTORIES = (Path("/usr/sbin"), Path("/usr/local/sbin"), Path("/opt/postfix/sbin"))
# Not the caller's environment: MAIL_CONFIG, for example, would make Postfix's programs read another main.cf.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_SECONDS = 5.0


class Postconf:
    """Implements config.received.Postfix.

    All queries together may take `seconds` from construction on, so that a hanging file system does not block the
    caller.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def parameters(self, names: Iterable[str], directory: Path | None = None) -> Mapping[str, str]:
        """The values of parameters from main.cf or their defaults, variables expanded.  Raises PostfixError.

        A parameter that this version of Postfix does not know is empty.
        """
        wanted = tuple(names)
        lines = self._ask("postconf", directory, "-x", *wanted)
        pairs = (line.partition("=") for line in lines)
        return dict.fromkeys(wanted, "") | {name.strip(): value.strip() for name, _, value in pairs}

    def services(self, directory: Path | None = None) -> list[MasterService]:
        """The services in master.cf, variables in their options expanded.  Raises PostfixError."""
        return read_services(self._ask("postconf", directory, "-M"), self._ask("postconf", directory, "-Px"))

    def keys(self, table: str, directory: Path | None = None) -> Sequence[str]:
        """The keys of a lookup table ("hash:/etc/postfix/virtual"), as Postfix stores them.  Raises PostfixError."""
        return [line.partition("\t")[0] for line in self._ask("postmap", directory, "-s", table)]

    def directory(self) -> Path:
        """The default directory of main.cf, as compiled into Postfix's programs.  Raises PostfixError."""
        return Path(self._run([program("postconf"), "-dh", "config_directory"])[0])

    def _ask(self, name: str, directory: Path | None, *arguments: str) -> list[str]:
        where = directory or self.directory()
        # main.cf names libraries that postmap loads: anyone who can change the file can run code as this process.
        _require_ours(where / MAIN_CF)
        return self._run([program(name), "-c", where, *arguments])

    def _run(self, command: Sequence[str | Path]) -> list[str]:
        name = Path(command[0]).name
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=_ENVIRONMENT,
                cwd="/",
                timeout=max(0.0, self._end - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PostfixError(f"{name} did not answer within {self._seconds:g} seconds") from None
        except OSError as error:
            raise PostfixError(f"{name} cannot be run: {error.strerror}") from None
        if done.returncode:
            raise PostfixError(_last_line(done.stderr) or f"{name} exited with status {done.returncode}")
        return done.stdout.decode(errors="replace").splitlines()


def installed() -> bool:
    """True if this host has Postfix's programs."""
    return any((directory / "postconf").exists() for directory in _DIRECTORIES)


def program(name: str) -> Path:
    """The path of a program of Postfix, which only root or this process's user can change.

    Raises PostfixError if it is missing, or if another user can change it: -t and the start may run as root, and
    must not execute another user's program.
    """
    found = [directory / name for directory in _DIRECTORIES if (directory / name).exists()]
    if not found:
        raise PostfixError(f"{name} was not found in {', '.join(map(str, _DIRECTORIES))}")
    _require_ours(found[0])
    return found[0]


def _require_ours(path: Path) -> None:
    """Raises PostfixError unless only root and this process's user can change `path` and the directories above it."""
    try:
        require_changed_by(path, (0, os.geteuid()))
    except Strange as error:
        raise PostfixError(f"{path} is not used, because {error.strerror}") from None
    except OSError as error:
        raise PostfixError(f"{path}: {error.strerror}") from None


def _last_line(said: bytes) -> str:
    """The last line that a program of Postfix printed: the fatal error follows any warnings."""
    lines = said.decode(errors="replace").splitlines()
    return lines[-1].strip() if lines else ""
