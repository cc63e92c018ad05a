"""Editing a text file so that no edit is lost if several are made at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from turfmilter.config.descent import open_file, parent
from turfmilter.stores.locking import locked
from turfmilter.stores.whole import write_whole


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Replace the text of the file `path` by what `change` makes of it; concurrent edits wait for each other.

    The file keeps its owner and mode, and a link its target.  Raises OSError, UnicodeDecodeError, and what `change`
    raises; in that case the file is unchanged.
    """
    # Root edits tables as well, and must not follow another user's link.
    with parent(path) as (within, name), _locked(path, within, name) as file:
        old = file.read().decode()
        new = change(old)
        if new != old:
            _replace(within, name, new.encode(), os.fstat(file.fileno()))


@contextmanager
def _locked(path: Path, within: int, name: str) -> Iterator[BinaryIO]:
    while True:
        with os.fdopen(open_file(path), "rb") as file, locked(file.fileno()):
            # After waiting, the lock may be that of a file that was replaced meanwhile.
            if os.path.samestat(os.fstat(file.fileno()), os.stat(name, dir_fd=within, follow_symlinks=False)):
                yield file
                return


def _replace(within: int, name: str, data: bytes, as_before: os.stat_result) -> None:
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=within)
    try:
        write_whole(directory, name, data, prepare=lambda descriptor: _like_before(descriptor, as_before))
    finally:
        os.close(directory)


def _like_before(descriptor: int, before: os.stat_result) -> None:
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, before.st_mode & 0o7777)
