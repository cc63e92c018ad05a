"""The format of a quarantine: which versions of the program may write to it."""

from __future__ import annotations

import os
from contextlib import suppress

FORMAT = 2  # 1, which has no mark: envelope addresses in which blanks are not escaped

_NAME, _COMING = "format", ".format"
_LONGEST = 64  # bytes
# Somebody may have planted a link, a pipe or a terminal.
_CAREFULLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def newer(directory: int) -> str:
    """Why this version must not write to the quarantine with the descriptor `directory`; "" if it may."""
    try:
        mark = _read(directory)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f'its file "{_NAME}" cannot be read: {error.strerror}: a newer version of turfmilter may have written it'
    if not (mark.isascii() and mark.isdecimal()):
        return f'its file "{_NAME}" does not hold a number: a newer version of turfmilter may have written it'
    return by_newer(int(mark)) if int(mark) > FORMAT else ""


def by_newer(format: int) -> str:
    """The reason why something of that `format` is not changed."""
    return (
        f"a newer version of turfmilter wrote it: it is in format {format}, this version knows formats up to {FORMAT}"
    )


def mark(directory: int) -> None:
    """Note that files of this version's format may be in the quarantine.  Raises OSError.

    To be called only where `newer` gives no reason against it.
    """
    with suppress(FileNotFoundError):
        if int(_read(directory)) == FORMAT:
            return
    # Whatever has been put in its place is replaced, and neither followed nor written to.
    with suppress(FileNotFoundError):
        os.unlink(_COMING, dir_fd=directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(_COMING, flags, 0o640, dir_fd=directory)
    try:
        os.write(descriptor, f"{FORMAT}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(_COMING, _NAME, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def _read(directory: int) -> str:
    descriptor = os.open(_NAME, _CAREFULLY, dir_fd=directory)
    try:
        return os.read(descriptor, _LONGEST).decode(errors="replace").strip()
    finally:
        os.close(descriptor)
