"""The lock on an open file (flock), also if the file is on NFS."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


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
