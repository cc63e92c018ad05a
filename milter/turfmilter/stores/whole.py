"""Replacing a file as a whole: every reader sees the old one or the new one, even after a crash."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(
    directory: int, name: str, data: bytes, *, mode: int = 0o600, prepare: Callable[[int], object] = lambda _: None
) -> None:
    """Replace the file `name` in the directory with this descriptor by one with `data`, and flush it to disk.

    Its mode is `mode`, less the umask, unless `prepare`, which is called with its descriptor, changes that.  Whatever
    others have put in its place is replaced, and neither followed nor written to.  A process that is killed leaves a
    file whose name begins with temporary(name).  If this raises OSError, the file is the old one or already the new.
    """
    coming = f"{temporary(name)}{secrets.token_hex(4)}"
    descriptor = os.open(coming, _NEW, mode, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            prepare(descriptor)
            file.flush()
            os.fsync(descriptor)
        os.rename(coming, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(coming, dir_fd=directory)
        raise
    os.fsync(directory)


def temporary(name: str) -> str:
    """Return how the name of a file begins that will become `name`: hidden from ls, editors and tables."""
    return f".{name}."
