"""A message on its way into the Maildir: written in tmp, made durable, then linked into new."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from turfmilter.core.held.block import render
from turfmilter.core.ports import QuarantineError
from turfmilter.core.report import Slip
from turfmilter.stores.name import host_name, new_id

MEMORY = 256 * 1024  # bytes: more of a message is not kept in memory between two calls of `write`

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # EFBIG: RLIMIT_FSIZE or a limit of the file system
_NO_DIGEST = "0" * 64
_TRIES = 10  # two existing names in a row are not a coincidence: 30 bits of a name are random


class MaildirDraft:
    """Implements ports.Draft.  It can be used from any thread: libmilter calls from many.

    A message of at most MEMORY bytes has no file before `commit`, which writes block and message at once.  A larger
    one is written while it arrives, so that a full disk is noticed before the MTA has sent all of it.
    """

    def __init__(self, maildir: Path, slip: Slip) -> None:
        self._new = f"{maildir}/new"
        self._slip = slip
        self._id = new_id(slip.time)
        self._tmp = f"{maildir}/tmp/{self._id}.{host_name()}"
        self._digest = hashlib.sha256()
        self._pending = bytearray()  # the end of the message, which is not yet in the file
        self._file: _TmpFile | None = None
        self._over = False

    def write(self, data: bytes) -> None:
        """Append bytes of the message.  Raises QuarantineError."""
        self._pending += data
        if len(self._pending) > MEMORY:
            with self._abandoned_on_failure():
                self._write_early()

    def commit(self) -> str:
        """Make the message durable and visible, and return its id.  Raises QuarantineError."""
        # `new` is opened first: the fewer steps can fail once the message is visible, the better.  What is linked
        # and what is flushed is then the same directory, whatever is renamed meanwhile.
        with self._abandoned_on_failure(), opened_directory(self._new) as new:
            self._link(new)
        self.abandon()
        return self._id

    def abandon(self) -> None:
        """Remove what was written.  Never raises; after `commit` there is nothing left to remove."""
        self._over = True
        self._pending = bytearray()
        if self._file:
            self._file.remove()
            self._file = None

    def _link(self, new: int) -> None:
        """Link the complete file into the directory `new`; an existing name is never overwritten."""
        for _ in range(_TRIES):
            file = self._complete()
            file.make_durable()
            try:
                file.link(self._id, new)
            except FileExistsError:
                self._id = new_id(self._slip.time)
            else:
                return
        raise FileExistsError(errno.EEXIST, "each name that was tried exists already", self._new)

    def _complete(self) -> _TmpFile:
        """Write what the file lacks: all of a small message in one piece, else the end, and the block again."""
        end = self._taken()
        block = render(self._id, self._slip, self._digest.hexdigest())
        if self._file is None:
            self._file = _TmpFile(self._tmp)
            self._file.append(block, end)
        else:
            self._file.append(end)
            self._file.overwrite(block)
        return self._file

    def _write_early(self) -> None:
        """Write what is pending below a block without a digest, whose length depends only on the slip."""
        if self._file is None:
            self._file = _TmpFile(self._tmp)
            self._file.append(render(self._id, self._slip, _NO_DIGEST))
        self._file.append(self._taken())

    def _taken(self) -> bytearray:
        """Return what is pending, which then counts as written."""
        taken, self._pending = self._pending, bytearray()
        self._digest.update(taken)
        return taken

    @contextmanager
    def _abandoned_on_failure(self) -> Iterator[None]:
        if self._over:
            raise QuarantineError("the message was abandoned or stored before", full=False)
        try:
            yield
        except OSError as error:
            self.abandon()
            raise _refusal(error) from error
        except BaseException:
            self.abandon()
            raise


class _TmpFile:
    """A new file in tmp.  Every method except `remove` raises OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        self._end = 0

    def append(self, *pieces: bytes | bytearray) -> None:
        """Write at the end."""
        _write_all(self._file, self._end, *pieces)
        self._end += sum(map(len, pieces))

    def overwrite(self, beginning: bytes) -> None:
        """Write at the beginning."""
        _write_all(self._file, 0, beginning)

    def make_durable(self) -> None:
        """Flush it to disk, with the mode that a held message has whatever the umask."""
        os.fchmod(self._file, 0o640)
        os.fsync(self._file)

    def link(self, name: str, directory: int) -> None:
        """Give it a second name, durably, or else none: the MTA still has a message that a crash could remove.

        If that name cannot be removed, the message may be held twice, which is allowed (at least once).
        """
        os.link(self._path, name, dst_dir_fd=directory)
        try:
            os.fsync(directory)
        except BaseException:
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)
            raise

    def remove(self) -> None:
        """Close it, and remove its name in tmp.  Never raises."""
        with suppress(OSError):
            Path(self._path).unlink()
        with suppress(OSError):
            os.close(self._file)


@contextmanager
def refused_by_os() -> Iterator[None]:
    """Turn an OSError into a QuarantineError that tells want of room from trouble."""
    try:
        yield
    except OSError as error:
        raise _refusal(error) from error


def _refusal(error: OSError) -> QuarantineError:
    return QuarantineError(f"{error.filename or 'quarantine'}: {error.strerror}", full=error.errno in _FULL)


@contextmanager
def opened_directory(path: str | Path) -> Iterator[int]:
    """Open a directory, and yield its descriptor.  Raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        with suppress(OSError):  # nothing was written through it
            os.close(directory)


def _write_all(file: int, place: int, *pieces: bytes | bytearray) -> None:
    """Write at `place`, in one system call unless the kernel writes only a part (before ENOSPC, at a signal)."""
    missing = sum(map(len, pieces)) - os.pwritev(file, pieces, place)
    if missing:
        whole = b"".join(pieces)
        while missing:
            written = len(whole) - missing
            missing -= os.pwrite(file, whole[written:], place + written)
