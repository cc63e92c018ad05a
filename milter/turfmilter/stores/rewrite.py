"""Editing a text file: of several edits at once none is lost."""

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
    """Put `change` of its text in the place of the file `path`; of several at once, one after the other.

    The file keeps owner and mode, and a link its target.  Raises OSError, UnicodeDecodeError, and what `change`
    raises; then nothing has happened.
    """
    # Root edits tables, too: not what another user's link leads to.
    with parent(path) as (within, name), _locked(path, within, name) as file:
        old = file.read().decode()
        new = change(old)
        if new != old:
            _replace(within, name, new.encode(), os.fstat(file.fileno()))


@contextmanager
def _locked(path: Path, within: int, name: str) -> Iterator[BinaryIO]:
    while True:
        with os.fdopen(open_file(path), "rb") as file, locked(file.fileno()):
            # Who waited for the lock may have got that of a file which was replaced meanwhile.
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
