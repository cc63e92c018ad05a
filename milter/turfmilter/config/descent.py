"""The way down to a file or directory: a link is followed only where no other user can have put it.

The filter's user may write to the directories of the socket, the tables and the quarantine.  Root must follow no link
there: whoever has taken over the filter would choose which file root reads, writes or gives away.  The kernel sees to
that only in sticky directories that everybody may write to (protected_symlinks in proc(5)).
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
# O_NONBLOCK: opening a pipe would wait for its other end.  O_NOCTTY: a terminal would become ours.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CAREFULLY = _FILE | os.O_NOFOLLOW  # flags for opening, in a directory that is open, what others may have put there
_LINK = "a symbolic link in a directory that other users can change; name the real path"
_MAX_LINKS = 40  # the kernel follows as many: path_resolution(7)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH  # where there is an ACL the group's bits are its mask


class Strange(OSError):
    """What is found on the way is not opened, though the kernel would; `strerror` is a clause that says why."""


def open_file(path: Path) -> int:
    """A descriptor for reading the regular file `path`.

    Raises OSError, also for a pipe, a device and a directory; and for root, where another user than root may have
    chosen what would be read.
    """
    if os.geteuid() != 0:
        _require_regular(path.stat(), path)
        return _opened(path, path, _FILE)
    with parent(path) as (directory, name):
        while True:
            entry = os.stat(name, dir_fd=directory, follow_symlinks=False)
            # Looked at before it is opened: opening a device may have an effect already.
            _require_regular(entry, path)
            if entry.st_nlink > 1 and not _only_ours(os.fstat(directory), entry):
                wrong = "a file with a second name, in a directory that other users can change"
                raise Strange(errno.EMLINK, wrong, str(path))
            descriptor = _opened(path, name, CAREFULLY, directory)
            if os.path.samestat(entry, os.fstat(descriptor)):
                return descriptor
            os.close(descriptor)  # it was replaced meanwhile: nothing is known of the new one


def open_directory(path: Path) -> int:
    """A descriptor of the directory `path`.

    Raises OSError, also for a link on the way that other users than root and our own may have put there.
    """
    with parent(path) as (directory, name), _about(path):
        return os.open(name, _DIRECTORY, dir_fd=directory)


@contextmanager
def parent(path: Path) -> Iterator[tuple[int, str]]:
    """A descriptor of the directory that `path` really leads into, and the name in there, which is no link.

    Raises OSError as open_directory does.
    """
    with ExitStack() as opened:
        with _about(path):
            found = _descend(opened, path, (0, os.geteuid()), strict=False)
        yield found


def only_root_changes(directory: Path) -> bool:
    """True when nobody but root can put anything into `directory`, or something else in its place."""
    try:
        require_changed_by(directory, (0,))
    except OSError:
        return False
    return True


def require_changed_by(path: Path, trusted: tuple[int, ...]) -> None:
    """Raises Strange when others than the `trusted` users can change what is at `path` or what leads there.

    Raises OSError when there is nothing.
    """
    with ExitStack() as opened:
        last, name = _descend(opened, path, trusted, strict=True)
        found = os.stat(name, dir_fd=last, follow_symlinks=False)
        if found.st_uid not in trusted or found.st_mode & _OTHERS_WRITE:
            raise Strange(errno.EPERM, f"others may change {_place(last) / name}")


def _descend(opened: ExitStack, path: Path, trusted: tuple[int, ...], *, strict: bool) -> tuple[int, str]:
    """See `parent`; links count only where one of the `trusted` users has put them.

    `strict` asks the same of the directories on the way.
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
            # Nobody else can have changed it since it was looked at.
            names.extendleft(reversed(PurePath(os.readlink(name, dir_fd=here)).parts))
        elif names:
            here = _entered(opened, name, here)
        else:
            return here, name


def _changeable(place: Path, name: str, directory: os.stat_result, trusted: tuple[int, ...]) -> Strange:
    """In a sticky directory others can change no entry but their own."""
    only_entry = directory.st_uid in trusted and directory.st_mode & stat.S_ISVTX
    return Strange(errno.EPERM, f"others may change {place / name if only_entry else place}")


def _place(directory: int) -> Path:
    return Path(f"/proc/self/fd/{directory}").readlink()


def _entered(opened: ExitStack, name: str, within: int | None) -> int:
    descriptor = os.open(name, _WAY, dir_fd=within)
    opened.callback(os.close, descriptor)
    return descriptor


def _only_ours(directory: os.stat_result, entry: os.stat_result, trusted: tuple[int, ...] = (0,)) -> bool:
    """Whether nobody but the `trusted` users can have put `entry` into `directory`."""
    if directory.st_uid not in trusted:
        return False
    if not directory.st_mode & _OTHERS_WRITE:
        return True
    # In a sticky directory others can neither rename nor remove it; but they may have given it this second name.
    single = stat.S_ISDIR(entry.st_mode) or entry.st_nlink == 1
    return bool(directory.st_mode & stat.S_ISVTX) and entry.st_uid in trusted and single


def _require_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Strange(errno.EINVAL, "not a file", str(path))


def _opened(path: Path, name: Path | str, flags: int, within: int | None = None) -> int:
    """A descriptor of `name`, still a regular file."""
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
    """Whatever part of it was opened, an error names the whole path."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
