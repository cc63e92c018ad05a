"""Room in a quarantine directory: its file system, and the mark that no more may be held."""

from __future__ import annotations

import os
from contextlib import suppress

from turfmilter.core.held.room import Space

FULL = "full"  # a file of this name in the quarantine: as much is held as is allowed
_COMING = f".{FULL}"


def spaces(status: os.statvfs_result) -> tuple[Space, Space]:
    """Return the bytes and the inodes of a file system that are available to ordinary users."""
    return Space(status.f_bavail, status.f_blocks, status.f_frsize), Space(status.f_favail, status.f_files)


class DirectoryRoom:
    """Implements ports.Room for the quarantine with the descriptor `directory`."""

    def __init__(self, directory: int) -> None:
        self._directory = directory

    def free(self) -> tuple[Space, Space]:
        """Return the bytes and the inodes of its file system.  Raises OSError."""
        return spaces(os.fstatvfs(self._directory))

    def settle(self, full: str) -> None:
        """Mark the quarantine as full, or remove that mark if `full` is "".  Raises OSError.

        The workers look for this file before they hold a message.
        """
        if not full:
            with suppress(FileNotFoundError):
                os.unlink(FULL, dir_fd=self._directory)
            return
        # Whatever another program has put in its place is replaced, and neither followed nor written to.
        with suppress(FileNotFoundError):
            os.unlink(_COMING, dir_fd=self._directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(_COMING, flags, 0o640, dir_fd=self._directory)
        try:
            os.write(descriptor, f"{full}\n".encode())
        finally:
            os.close(descriptor)
        os.rename(_COMING, FULL, src_dir_fd=self._directory, dst_dir_fd=self._directory)
