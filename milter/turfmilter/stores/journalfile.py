"""Writing the journal: each process appends to a file of its own, a new one every day."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from turfmilter.core.journal.line import time_of
from turfmilter.stores.room import spaces

SUFFIX = ".jsonl"
_MOST_OCTETS = 64 * 1024 * 1024  # of one file: only files that are no longer written to are compressed and removed
_CREATE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class JournalFile:
    """Appends lines to files named DAY.PROCESS.NUMBER.jsonl in `directory`; `process` is a unique name.

    While a file is written to, this process has an exclusive lock on it.  Nothing is written while less than
    twice the share `floor` of the file system is free: the room is for held mail.
    """

    def __init__(self, directory: Path, process: str, floor: float) -> None:
        self._directory = directory
        self._process = process
        self._floor = 2 * floor
        self._day = ""
        self._number = 0
        self._file = -1
        self._size = 0

    def append(self, lines: Sequence[bytes]) -> None:
        """Append whole lines, at least one, each to the file of its day.

        Raises OSError; then none or only some were appended.
        """
        # They come in the order of time, so nearly always all are of one day.
        one_day = _day(lines[0]) == _day(lines[-1])
        for day, some in [(_day(lines[0]), lines)] if one_day else groupby(lines, _day):
            if day != self._day or self._size > _MOST_OCTETS or self._is_gone():
                self._begin(day)
            if any(space.below(self._floor) for space in spaces(os.fstatvfs(self._file))):
                raise OSError(errno.ENOSPC, "less than twice quarantine.floor is free")
            self._write(b"".join(some))

    def close(self) -> None:
        """Close the file: it can then be compressed."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _begin(self, day: str) -> None:
        self.close()
        self._number += 1
        self._day, self._size = day, 0
        name = f"{day}.{self._process}.{self._number}{SUFFIX}"
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # It gets its name once it is locked: what has the name and no lock is not written to any more.
            self._file = os.open(f".{name}", _CREATE, 0o640, dir_fd=directory)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            os.rename(f".{name}", name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            self.close()
            raise
        finally:
            os.close(directory)

    def _is_gone(self) -> bool:
        """Return True if no file is open, or someone has removed the one that is."""
        return self._file < 0 or os.fstat(self._file).st_nlink == 0

    def _write(self, data: bytes) -> None:
        """Write all of `data`, or none; if even that fails, the next line begins another file."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            self._undo()
            raise
        self._size += len(data)

    def _undo(self) -> None:
        """Remove the part of a line that was written; if that fails, nothing more is written to this file."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self.close()


def _day(line: bytes) -> str:
    return time_of(line)[:10]
