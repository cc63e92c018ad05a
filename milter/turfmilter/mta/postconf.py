"""Postfix's own programs: postconf(1) and postmap(1), asked for what its configuration means."""

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
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_SECONDS = 5.0


class Postconf:
    """Implements config.received.Postfix.

    All questions together may take `seconds` from now on: a file system that does not answer holds nobody up.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def parameters(self, names: Iterable[str], directory: Path | None = None) -> Mapping[str, str]:
        """The values of the parameters in main.cf or built in, all variables expanded.  Raises PostfixError.

        One that this version of Postfix does not know is empty.
        """
        wanted = tuple(names)
        lines = self._ask("postconf", directory, "-x", *wanted)
        pairs = (line.partition("=") for line in lines)
        return dict.fromkeys(wanted, "") | {name.strip(): value.strip() for name, _, value in pairs}

    def services(self, directory: Path | None = None) -> list[MasterService]:
        """The services in master.cf, variables in their options expanded.  Raises PostfixError."""
        return read_services(self._ask("postconf", directory, "-M"), self._ask("postconf", directory, "-Px"))

    def keys(self, table: str, directory: Path | None = None) -> Sequence[str]:
        """The keys of the table, as Postfix has them.  Raises PostfixError."""
        return [line.partition("\t")[0] for line in self._ask("postmap", directory, "-s", table)]

    def directory(self) -> Path:
        """Where Postfix's programs look for main.cf unless told otherwise.  Raises PostfixError."""
        return Path(self._run([program("postconf"), "-dh", "config_directory"])[0])

    def _ask(self, name: str, directory: Path | None, *arguments: str) -> list[str]:
        where = directory or self.directory()
        # main.cf names the libraries that postmap loads: whoever can write it, executes them as us.
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
            raise PostfixError(_last_line(done.stderr) or f"{name} ended with {done.returncode}")
        return done.stdout.decode(errors="replace").splitlines()


def installed() -> bool:
    """True when this host has Postfix's programs."""
    return any((directory / "postconf").exists() for directory in _DIRECTORIES)


def program(name: str) -> Path:
    """The program of Postfix with this name, in a directory that only root or we ourselves can change.

    Raises PostfixError: -t and the start may run as root, and would execute what somebody else has put there.
    """
    found = [directory / name for directory in _DIRECTORIES if (directory / name).exists()]
    if not found:
        raise PostfixError(f"{name} is in none of {', '.join(map(str, _DIRECTORIES))}")
    _require_ours(found[0])
    return found[0]


def _require_ours(path: Path) -> None:
    """Raises PostfixError unless only root or we ourselves can change what is at `path`, and what leads there."""
    try:
        require_changed_by(path, (0, os.geteuid()))
    except Strange as error:
        raise PostfixError(f"{path} is not used, because {error.strerror}") from None
    except OSError as error:
        raise PostfixError(f"{path}: {error.strerror}") from None


def _last_line(said: bytes) -> str:
    """What a program of Postfix said last: warnings come before the error that ends it."""
    lines = said.decode(errors="replace").splitlines()
    return lines[-1].strip() if lines else ""
