"""Opening a file or directory: a symbolic link is followed only if no other user can have created it.

The filter's user can write to the directories of the socket, the tables and the quarantine.  Root must not follow a
link there: an attacker who controls that user could choose which file root reads, writes or gives away.  The kernel
prevents this only in world-writable sticky directories (protected_symlinks in proc(5)).
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath

_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: otherwise, opening a pipe waits for its other end.  O_NOCTTY: otherwise, a terminal can become ours.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CAREFULLY = _FILE | os.O_NOFOLLOW  # for opening a file that another user may have created, in an open directory
_LINK = "a symbolic link in a directory that other users can change; name the real path"
_MAX_LINKS = 40  # the limit of the kernel: path_resolution(7)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH  # if there is an ACL, the group bits are its mask: acl(5)


class Strange(OSError):
    """The path is not opened, although the kernel would open it; `strerror` is the reason."""


def open_file(path: Path) -> int:
    """Return a descriptor for reading the regular file `path`.

    Raises OSError, also for a pipe, a device or a directory; and Strange, if we are root and a user other than root
    may have chosen what would be read.
    """
    if os.geteuid() != 0:
        _require_regular(path.stat(), path)
        return _opened(path, path, _FILE)
    with parent(path) as (directory, name):
        while True:
            entry = os.stat(name, dir_fd=directory, follow_symlinks=False)
            # Checked before it is opened, because merely opening a device can have an effect.
            _require_regular(entry, path)
            if entry.st_nlink > 1 and not _only_ours(os.fstat(directory), entry):
                wrong = "a file with a second name (hard link), in a directory that other users can change"
                raise Strange(errno.EMLINK, wrong, str(path))
            descriptor = _opened(path, name, CAREFULLY, directory)
            if os.path.samestat(entry, os.fstat(descriptor)):
                return descriptor
            os.close(descriptor)  # the file was replaced since it was checked: check the new one


def open_directory(path: Path) -> int:
    """Return a descriptor of the directory `path`.

    Raises OSError, and Strange for a link on the way that a user other than root and our own may have created.
    """
    with parent(path) as (directory, name), _about(path):
        return os.open(name, _DIRECTORY, dir_fd=directory)


@contextmanager
def parent(path: Path) -> Iterator[tuple[int, str]]:
    """Open the directory that `path` leads to after all links; yield its descriptor, and the name of `path` in it.

    Raises OSError and Strange as open_directory does.
    """
    with ExitStack() as opened:
        with _about(path):
            found = _descend(opened, path, (0, os.geteuid()), strict=False)
        yield found


def only_root_changes(directory: Path) -> bool:
    """Return True if only root can create a file in `directory`, or replace the directory."""
    try:
        require_changed_by(directory, (0,))
    except OSError:
        return False
    return True


def require_changed_by(path: Path, trusted: tuple[int, ...]) -> None:
    """Raise Strange if a user who is not `trusted` (user ids) can change what is at `path`, or the way to it.

    Raises OSError if it does not exist.
    """
    with ExitStack() as opened:
        last, name = _descend(opened, path, trusted, strict=True)
        found = os.stat(name, dir_fd=last, follow_symlinks=False)
        if found.st_uid not in trusted or found.st_mode & _OTHERS_WRITE:
            raise Strange(errno.EPERM, f"other users can change {_place(last) / name}")


def _descend(opened: ExitStack, path: Path, trusted: tuple[int, ...], *, strict: bool) -> tuple[int, str]:
    """Return what `parent` yields; follow only links that one of the `trusted` users has created.

    With `strict`, every directory on the way must also be one that only these users can change.
    """
    names, links, here = deque(path.absolute().parts), 0, -1
    while True:
        name = names.popleft()
        if name == "/":
            here, name = _entered(opened, "/", None), "."
        entry = os.stat(name, dir_fd=here, follow_symlinks=False)
        is_link = stat.S_ISLNK(entry.st_mode)
        if (is_link or strict) and not _only_ours(directory := os.fstat(here), entry, trusted):
            raise _changeable(_place(here), name, directory, trusted) if strict else Strange(errno.ELOOP, _LINK)
        if is_link:
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            # No other user can have changed it since it was checked.
            names.extendleft(reversed(PurePath(os.readlink(name, dir_fd=here)).parts))
        elif names:
            here = _entered(opened, name, here)
        else:
            return here, name


def _changeable(place: Path, name: str, directory: os.stat_result, trusted: tuple[int, ...]) -> Strange:
    """Return the error that names the entry, or the directory: in a sticky one, users can change only their own."""
    only_entry = directory.st_uid in trusted and directory.st_mode & stat.S_ISVTX
    return Strange(errno.EPERM, f"other users can change {place / name if only_entry else place}")


def _place(directory: int) -> Path:
    return Path(f"/proc/self/fd/{directory}").readlink()


def _entered(opened: ExitStack, name: str, within: int | None) -> int:
    descriptor = os.open(name, _WAY, dir_fd=within)
    opened.callback(os.close, descriptor)
    return descriptor


def _only_ours(directory: os.stat_result, entry: os.stat_result, trusted: tuple[int, ...] = (0,)) -> bool:
    """Return True if only the `trusted` users can have created `entry` in `directory`."""
    if directory.st_uid not in trusted:
        return False
    if not directory.st_mode & _OTHERS_WRITE:
        return True
    # In a sticky directory, others can neither rename nor remove it, but may have created this name as a hard link.
    single = stat.S_ISDIR(entry.st_mode) or entry.st_nlink == 1
    return bool(directory.st_mode & stat.S_ISVTX) and entry.st_uid in trusted and single


def _require_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Strange(errno.EINVAL, "not a regular file", str(path))


def _opened(path: Path, name: Path | str, flags: int, within: int | None = None) -> int:
    """Open `name`, and return its descriptor if it is still a regular file."""
    with _about(path):
        descriptor = os.open(name, flags, dir_fd=within)
    try:
        _require_regular(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Replace the file name in an OSError by the whole path, of which only a part was opened."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
