"""A message on its way into the Maildir: written in tmp, made durable, then linked into new."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from turfmilter.core.held.block import head, render
from turfmilter.core.ports import QuarantineError
from turfmilter.core.report import Slip
from turfmilter.stores.name import host_name, new_id

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # EFBIG: RLIMIT_FSIZE or a limit of the file system
_NO_DIGEST = "0" * 64
_BUFFER = 256 * 1024  # bytes: most messages are written in one piece with the block, which is complete only at the end
_TRIES = 10  # two existing names in a row are not a coincidence: 30 bits of a name are random


class MaildirDraft:
    """Implements ports.Draft.  It can be used from any thread: libmilter calls from many."""

    def __init__(self, maildir: Path, slip: Slip) -> None:
        """Create a file in tmp.  Raises QuarantineError."""
        self._slip = slip
        self._id = new_id(slip.time)
        self._tmp, self._new = f"{maildir}/tmp/{self._id}.{host_name()}", f"{maildir}/new"
        self._linked: str | None = None  # visible, but not yet known to be durable
        self._digest = hashlib.sha256()
        with refused_by_os():
            self._file = io.BufferedWriter(io.FileIO(_create(self._tmp), "wb"), _BUFFER)
        with self._abandoned_on_failure():
            os.fchmod(self._file.fileno(), 0o640)  # exactly this, whatever the umask
            self._head = head(self._id, slip)
            self._file.write(render(self._head, _NO_DIGEST))

    def write(self, data: bytes) -> None:
        """Append bytes of the message.  Raises QuarantineError."""
        with self._abandoned_on_failure():
            self._file.write(data)
            self._digest.update(data)

    def commit(self) -> str:
        """Make the message durable and visible, and return its id.  Raises QuarantineError."""
        with self._abandoned_on_failure():
            # Opened first: the fewer steps can fail once the message is visible, the better.
            new = os.open(self._new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._linked = self._link()
                os.fsync(new)
            finally:
                os.close(new)
        self._linked = None
        self.abandon()
        return self._id

    def abandon(self) -> None:
        """Remove what was written.  Never raises; after `commit` there is nothing left to remove.

        A message that is visible but may not survive a crash is removed as well: the MTA still has it.
        If it cannot be removed, the message may be held twice, which is allowed (at least once).
        """
        if self._file.closed:
            return
        for path in (self._linked, self._tmp):
            if path is not None:
                with suppress(OSError):
                    Path(path).unlink()
        with suppress(OSError):
            self._file.close()

    def _link(self) -> str:
        """Complete the file and link it into new; an existing name is never overwritten."""
        for _ in range(_TRIES):
            self._file.seek(0)
            self._file.write(render(self._head, self._digest.hexdigest()))
            self._file.flush()
            os.fsync(self._file.fileno())
            try:
                os.link(self._tmp, f"{self._new}/{self._id}")
            except FileExistsError:
                self._id = new_id(self._slip.time)
                self._head = head(self._id, self._slip)
            else:
                return f"{self._new}/{self._id}"
        raise FileExistsError(errno.EEXIST, "each name that was tried exists already", self._new)

    @contextmanager
    def _abandoned_on_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.abandon()
            raise _refusal(error) from error
        except BaseException:
            self.abandon()
            raise


@contextmanager
def refused_by_os() -> Iterator[None]:
    """Turn an OSError into a QuarantineError that tells want of room from trouble."""
    try:
        yield
    except OSError as error:
        raise _refusal(error) from error


def _refusal(error: OSError) -> QuarantineError:
    return QuarantineError(f"{error.filename or 'quarantine'}: {error.strerror}", full=error.errno in _FULL)


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
