"""The ledger of a quarantine: who did what to which message, with what result.  Lines are only ever added."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from turfmilter.config.descent import CAREFULLY
from turfmilter.core.held.ledger import (
    LedgerError,
    Line,
    Mark,
    encode_ids,
    encode_line,
    parse_line,
    parse_line_about,
    unfinished,
)
from turfmilter.stores.files import locked
from turfmilter.stores.format import newer

_MAX_LINE_BYTES = 16 << 20  # bytes of a line: 10,000 recipients with their replies; a longer line is not ours
_UNREADABLE = b"?\n"


_BEGINNING = Mark()


class Ledger:
    """Implements ports.Ledger as the file `name` in the directory with this descriptor; one JSON object a line."""

    def __init__(self, directory: int, name: str = "ledger") -> None:
        self._directory = directory
        self._name = name
        self._followed = FollowedLedger(self)

    def append(self, line: Line, *, durable: bool = True) -> None:
        """Append `line`; it is on disk when this returns unless it need not be `durable`.  Raises LedgerError."""
        if reason := newer(self._directory):
            raise LedgerError(f"{reason}; nothing was changed")
        data = encode_line(line)
        if len(data) > _MAX_LINE_BYTES:
            raise LedgerError("the ledger cannot be written: the line would be too long")
        with self._locked(), self._open(self._name, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640) as file:
            # A crash may have left half a line: it is kept, and does not damage the next one.
            size = os.fstat(file).st_size
            whole = not size or os.pread(file, 1, size - 1) == b"\n"
            data = data if whole else b"\n" + data
            if os.write(file, data) != len(data):
                raise LedgerError("the ledger cannot be written: no space is left")
            if durable:
                os.fsync(file)
            if not size:
                os.fsync(self._directory)  # the file is new

    def lines(self, ids: Iterable[str] | None = None) -> Iterator[Line]:
        """Yield all lines in their order, or those about `ids`; damaged ones are left out.  Raises LedgerError."""
        wanted = None if ids is None else encode_ids(ids)
        for _, data in self.raw():
            line = parse_line(data) if wanted is None else parse_line_about(data, wanted)
            if line is not None:
                yield line

    def unfinished(self, act: str) -> set[str]:
        """Return the ids of messages for which an intent to `act` has no outcome.  Raises LedgerError."""
        return unfinished((data for _, data in self.raw()), act)

    def added(self, after: Mark) -> tuple[Mark, list[Line]]:
        """Return the complete lines after the mark, and the mark that follows them.  Raises LedgerError."""
        found = []
        for mark, data in self.raw(after):
            if not data.endswith(b"\n"):
                break
            after = mark
            if line := parse_line(data):
                found.append(line)
        return after, found

    def damaged(self) -> Iterator[int]:
        """Yield the numbers of the lines that cannot be read; the first line is 1.  Raises LedgerError."""
        return (number for number, (_, data) in enumerate(self.raw(), 1) if data.strip() and parse_line(data) is None)

    def expect(self, ids: Iterable[str]) -> None:
        """Announce messages that `about` will be called for: the file is then read once for all of them."""
        self._followed.expect(ids)

    def about(self, id: str) -> list[Line]:
        """Return the lines about one message as they are now, in their order.  Raises LedgerError."""
        return self._followed.about(id)

    def raw(self, after: Mark = _BEGINNING) -> Iterator[tuple[Mark, bytes]]:
        """Yield the bytes of each line, with the mark that follows it.  Raises LedgerError.

        Begins at the mark `after`, unless the ledger was replaced or truncated since.
        """
        try:
            with self._open(self._name, os.O_RDONLY) as file, open(file, "rb", closefd=False) as stream:
                status = os.fstat(file)
                offset = after.offset if after.inode == status.st_ino and after.offset <= status.st_size else 0
                stream.seek(offset)
                for length, data in _lines(stream):
                    offset += length
                    yield Mark(status.st_ino, offset), data
        except FileNotFoundError:
            return

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time.

        The lock is on a file that only the owner can open: every user who may read the ledger itself could lock it
        for any length of time, and nothing could be done to any message.
        """
        with self._open(f".{self._name}.lock", os.O_RDWR | os.O_CREAT, 0o600) as file, locked(file):
            yield

    @contextmanager
    def _open(self, name: str, flags: int, mode: int = 0) -> Iterator[int]:
        try:
            file = os.open(name, flags | CAREFULLY, mode, dir_fd=self._directory)
            try:
                _require_own(file)
                yield file
            finally:
                os.close(file)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LedgerError(f"the ledger cannot be opened or written: {error.strerror}") from error


class FollowedLedger:
    """The lines about some messages: the ledger is read once, and then only what was added since."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._mark = Mark()
        self._of: dict[str, list[Line]] = {}
        self._wanted: dict[bytes, str] = {}

    def expect(self, ids: Iterable[str]) -> None:
        """Announce messages for which `about` will be called; for any other, the whole ledger is read again."""
        new = set(ids) - self._of.keys()
        if new:
            self._mark = Mark()
            self._of = {id: [] for id in (*self._of, *new)}
            self._wanted = encode_ids(self._of)

    def about(self, id: str) -> list[Line]:
        """Return the lines about one message as they are now, in their order.  Raises LedgerError."""
        self.expect({id})
        for mark, data in self._ledger.raw(self._mark):
            if (
                mark.inode != self._mark.inode or mark.offset <= self._mark.offset
            ):  # the ledger was replaced or truncated
                self._of = {id: [] for id in self._of}
            line = parse_line_about(data, self._wanted)
            if not data.endswith(b"\n"):  # it is being written at this moment, or was never finished
                return [*self._of[id], *([line] if line and line.id == id else [])]
            self._mark = mark
            if line:
                self._of[line.id].append(line)
        return list(self._of[id])


def _require_own(file: int) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise LedgerError("the ledger is not a file of its own: something else was put in its place")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their lengths; a line that is far too long is replaced by an unreadable one."""
    while data := stream.readline(_MAX_LINE_BYTES):
        length, piece = len(data), data
        while len(piece) == _MAX_LINE_BYTES and not piece.endswith(b"\n"):
            piece = stream.readline(_MAX_LINE_BYTES)
            length += len(piece)
        yield length, data if length == len(data) else _UNREADABLE
