"""What a user could put in the place of a file, to make root read, write or give away another file, or hang."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

Plant = Callable[[Path, Path], object]  # puts something at a path that leads, if anywhere, to a file of root's

PLANTS: Mapping[str, Plant] = {
    "a link": lambda path, target: path.symlink_to(target),
    "a link to nothing": lambda path, target: path.symlink_to(target.with_name("new")),
    "a second name": lambda path, target: path.hardlink_to(target),
    "a pipe": lambda path, _: os.mkfifo(path, 0o666),
    "a device": lambda path, _: os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5)),
    "a directory": lambda path, _: path.mkdir(),
}


State = list[tuple[str, tuple[int, ...], str]]


def state(directory: Path) -> State:
    """Whatever a program can change about the files below `directory`: names, owners, modes, times and content."""
    found: State = []
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        numbers = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns)
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
        found.append((str(path), numbers, content))
    return found
