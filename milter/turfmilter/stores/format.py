"""The format of a quarantine: which versions of the program may write to it."""

from __future__ import annotations

import os
from contextlib import suppress

from turfmilter.config.descent import CAREFULLY
from turfmilter.core.held.block import FORMAT
from turfmilter.core.held.summary import by_newer
from turfmilter.stores.files import write_whole

_NAME = "format"
_MAX_MARK_BYTES = 64  # bytes


def newer(directory: int) -> str:
    """Return why this version must not write to the quarantine with the descriptor `directory`; "" if it may."""
    try:
        mark = _read(directory)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f'its file "{_NAME}" cannot be read: {error.strerror}: a newer version of turfmilter may have written it'
    if not (mark.isascii() and mark.isdecimal()):
        return f'its file "{_NAME}" does not hold a number: a newer version of turfmilter may have written it'
    return by_newer(int(mark)) if int(mark) > FORMAT else ""


def mark(directory: int) -> None:
    """Record that the quarantine may contain files in this version's format.  Raises OSError.

    To be called only if `newer` returns "".
    """
    with suppress(FileNotFoundError):
        if int(_read(directory)) == FORMAT:
            return
    write_whole(directory, _NAME, f"{FORMAT}\n".encode(), mode=0o640)


def _read(directory: int) -> str:
    descriptor = os.open(_NAME, CAREFULLY, dir_fd=directory)
    try:
        return os.read(descriptor, _MAX_MARK_BYTES).decode(errors="replace").strip()
    finally:
        os.close(descriptor)
