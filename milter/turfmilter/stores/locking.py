"""The lock of an open file (flock), also where the file lies on NFS."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def locked(descriptor: int, *, wait: bool = True) -> Iterator[None]:
    """Nobody else has the lock meanwhile.  Raises OSError; BlockingIOError when one has it and we do not `wait`."""
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
    """flock(2): on NFS it is a lock on all bytes, and an exclusive one needs a descriptor for writing."""
    writable = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(writable, how)
        yield
    finally:
        os.close(writable)
