"""Files that are locked, replaced as a whole and edited: no reader sees half a file, and no edit is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from turfmilter.config.descent import open_file, parent

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def locked(descriptor: int, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock.  Raises OSError; BlockingIOError if another has it and we do not `wait`."""
    how = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(descriptor, how)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        with _locked_for_writing(descriptor, how):
            yield
        return
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def _locked_for_writing(descriptor: int, how: int) -> Iterator[None]:
    """Lock through a second descriptor: on NFS an exclusive flock(2) needs one that is open for writing."""
    writable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(writable, how)
        yield
    finally:
        os.close(writable)


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
