"""`turfmilter --init`: a directory with everything that a filter needs to start."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from turfmilter.config.sample import TURF_TABLE, sample

USER = "turfmilter"  # the filter's user, if root starts it
_CONFIG = "turfmilter.toml"
_TABLE = "turf.table"
# Directories that belong to the filter's user; a directory follows the one that contains it.
_OURS = {"run": 0o755, "state": 0o750, "quarantine": 0o750}
_OURS |= {f"quarantine/{name}": 0o750 for name in ("tmp", "new", "cur")}


class NoUserError(Exception):
    """Root needs a user for the filter that does not exist; the text is the command that creates it."""


def initialise(directory: Path) -> Iterator[str]:
    """Write a configuration, a turf table and a quarantine into `directory`; yield what to tell the administrator.

    Nothing that exists is changed.  Raises NoUserError before anything is written, and OSError.
    """
    directory = directory.absolute()
    owner = _owner()
    directory.mkdir(parents=True, exist_ok=True)
    new: list[str] = []
    for name, mode in _OURS.items():
        above = name.partition("/")[0]  # an existing quarantine is another user's: nothing is made inside
        if (above == name or above in new) and _make(directory / name, mode):
            new.append(name)
    # Only now, from the inside out: as long as they are root's, no other user can put a link there.
    for name in reversed(new):
        if owner:
            os.chown(directory / name, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    files = {_TABLE: TURF_TABLE, _CONFIG: sample(_values(directory, USER if owner else ""))}
    new += [name for name, text in files.items() if _write(directory / name, text)]
    for name in [*_OURS, *files]:
        if "/" not in name:
            yield f"{directory / name}: {'written' if name in new else 'exists, not changed'}"
    yield f"Set domains in {directory / _CONFIG}, then run:"
    config = shlex.quote(str(directory / _CONFIG))
    yield from (f"  {command}" for command in _next(config))


def _next(config: str) -> Iterator[str]:
    yield f"turfmilter -t -c {config}"
    yield f"turfmilter -c {config}"
    yield f"turfctl -c {config} status"


def _values(directory: Path, user: str) -> Mapping[str, object]:
    """The keys that name something below `directory`, and the user."""
    values: dict[str, object] = {
        "socket": f"unix:{directory / 'run/turfmilter.sock'}",
        "status": str(directory / "run/status.json"),
        "state": str(directory / "state"),
        "turf.tables": [f"file:{_TABLE}"],
        "turf.directory": str(directory / "quarantine"),
    }
    return {**values, "user": user} if user else values


def _owner() -> pwd.struct_passwd | None:
    """The user that gets the directories; None if that is the current one.  Raises NoUserError."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        raise NoUserError(
            f'started by root, and the user "{USER}" does not exist; create it: '
            f"useradd --system --no-create-home --shell /usr/sbin/nologin {USER}"
        ) from None


def _make(path: Path, mode: int) -> bool:
    """Create a directory; False if there is something of that name already."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return False
    path.chmod(mode)
    return True


def _write(path: Path, text: str) -> bool:
    """Create a file; False if there is one already."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    path.chmod(0o644)
    return True
