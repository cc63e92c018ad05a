"""Retention: what is due goes, what nobody has reviewed stays, and people hear of it before room runs out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from turfmilter.config.quarantine import QuarantineConfig
from turfmilter.review.recorder import Recorder
from turfmilter.stores.heldfile import HeldFile, State
from turfmilter.stores.maildir import FULL
from turfmilter.stores.openmaildir import NotAFile, OpenMaildir

_FLAGGED = "F"
_COMING = f".{FULL}"
_WARNED = 0.8  # of the room that there is
_UNIT = 1 << 20  # bytes, for people


@dataclass(frozen=True, slots=True)
class Due:
    """A file that goes, and why."""

    file: HeldFile
    size: int
    why: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file in quarantine: its size in bytes, when it was held, and when somebody last set a flag."""

    file: HeldFile
    size: int
    held: datetime
    touched: datetime

    @property
    def reviewed(self) -> bool:
        return self.file.state is not State.UNREVIEWED


class Expiry:
    """Removes what is due from one quarantine, each with a line in the ledger."""

    def __init__(
        self, maildir: OpenMaildir, recorder: Recorder, terms: QuarantineConfig, now: Callable[[], datetime]
    ) -> None:
        self._maildir = maildir
        self._recorder = recorder
        self._terms = terms
        self._now = now

    def due(self) -> list[Due]:
        """What goes now, in that order: first what is too old, then what makes room."""
        kept = [one for one in self._files() if _FLAGGED not in one.file.flags]
        due = [Due(one.file, one.size, why) for one in kept if (why := self._too_old(one))]
        old = {one.file for one in due}
        held = sum(one.size for one in kept) - sum(one.size for one in due)
        missing, inodes = self._missing(held, sum(one.size for one in due), len(due))
        # Deleted ones first, then those that were reviewed longest ago.
        left = [one for one in kept if one.reviewed and one.file not in old]
        for one in sorted(left, key=lambda one: (one.file.state is not State.DELETED, one.touched)):
            if missing <= 0 and inodes <= 0:
                break
            due.append(Due(one.file, one.size, f"{one.file.state.value}, to make room"))
            missing, inodes = missing - one.size, inodes - 1
        return due

    def remove(self, due: Due) -> bool:
        """Remove one; False when it is gone, or being released.  Raises LedgerError and OSError."""
        try:
            with self._maildir.open(due.file) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._recorder.note("expire", "done", due.file.id, note=due.why)
                self._maildir.remove(due.file)
        except NotAFile:
            return False  # not ours to remove: show says what it is
        except (FileNotFoundError, BlockingIOError):
            return False
        return True

    def settle(self) -> list[str]:
        """Let the MTA wait where more is held than may be, and say how things stand.  Raises OSError."""
        most = self._terms.max_size
        held = sum(one.size for one in self._files()) if most else 0
        full = f"max_size is reached, {most // _UNIT} MiB" if 0 < most <= held else ""
        self._mark(full)
        advice = "review what is there: turfctl quarantine list --state unreviewed"
        if full:
            return [f"{self._maildir.path}: {full}: messages that are to be held are answered 452; {advice}"]
        used = [held / most] if most else []
        used += [self._terms.floor / max(share, 1e-9) for share, _ in self._free() if self._terms.floor]
        if max(used, default=0) < _WARNED:
            return []
        return [f"{self._maildir.path}: room is running out, and messages will be answered 452; {advice}"]

    def _files(self) -> Iterator[_Kept]:
        for file, _ in self._maildir.files():
            with suppress(FileNotFoundError):
                status = self._maildir.stat(file)
                held, touched = (datetime.fromtimestamp(at, UTC) for at in (status.st_mtime, status.st_ctime))
                yield _Kept(file, status.st_size, held, touched)

    def _too_old(self, one: _Kept) -> str:
        """Why it goes whatever room there is; "" when it stays."""
        since, span = (one.touched, self._terms.keep_reviewed) if one.reviewed else (one.held, self._terms.keep)
        if self._now() - since < span:
            return ""
        return f"{one.file.state.value}, for {(self._now() - since).days} days"

    def _missing(self, held: int, freed: int, files: int) -> tuple[int, int]:
        """How many bytes and inodes must be made free, when `freed` bytes in `files` files are on their way."""
        (_, bytes_missing), (_, inodes_missing) = self._free()
        over = held - self._terms.max_size if self._terms.max_size else 0
        return max(over, bytes_missing - freed), inodes_missing - files

    def _free(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """Of bytes and of inodes: the share that is free, and how many are missing to the floor."""
        disk, floor = os.fstatvfs(self._maildir.root), self._terms.floor
        share = disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0
        missing = int((floor * disk.f_blocks - disk.f_bavail) * disk.f_frsize)
        # A file system that does not count its inodes (btrfs) says that it has 0 of 0.
        inodes = disk.f_favail / disk.f_files if disk.f_files else 1.0
        return (share, missing), (inodes, int(floor * disk.f_files - disk.f_favail))

    def _mark(self, full: str) -> None:
        """The workers look for this file before they hold anything."""
        if not full:
            with suppress(FileNotFoundError):
                os.unlink(FULL, dir_fd=self._maildir.root)
            return
        # Whatever somebody has put in its place is replaced, and neither followed nor written to.
        with suppress(FileNotFoundError):
            os.unlink(_COMING, dir_fd=self._maildir.root)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(_COMING, flags, 0o640, dir_fd=self._maildir.root)
        try:
            os.write(descriptor, f"{full}\n".encode())
        finally:
            os.close(descriptor)
        os.rename(_COMING, FULL, src_dir_fd=self._maildir.root, dst_dir_fd=self._maildir.root)
