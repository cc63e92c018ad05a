"""The ledger of a quarantine: who did what to which message, and what came of it.  Lines are only ever added."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from json import dumps, loads
from typing import Any, BinaryIO, NamedTuple

from turfmilter.config.descent import CAREFULLY
from turfmilter.stores.format import newer
from turfmilter.stores.locking import locked

_ID = re.compile(rb'"id": ("(?:[^"\\]|\\.)*")')  # no text holds it: in there every quote is escaped
_MAX_LINE_BYTES = 16 << 20  # bytes of a line: ten thousand recipients with their replies; a longer one is not ours
_UNREADABLE = b"?\n"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what somebody is about to do (`stage` "intent"), or what came of it ("outcome").

    `time` is RFC 3339 in UTC, `who` the login name, `uid` its number, `origin` the terminal or host it came from.
    `attempt` joins an outcome to its intent.  `replies` are the MTA's own words, one for each of `recipients`.
    Older ledgers have one line for what was not a release, with the stage "done", written before it was.
    """

    time: str
    who: str
    uid: int
    origin: str
    act: str
    stage: str
    id: str
    attempt: str = ""
    recipients: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    note: str = ""


class LedgerError(Exception):
    """The ledger cannot be written or read: then nothing is done that would have to stand in it."""


class Mark(NamedTuple):
    """How far a ledger has been read: the file, and the bytes of it that were whole lines."""

    inode: int = 0
    offset: int = 0


_BEGINNING = Mark()


class Ledger:
    """The file `name` in the directory with the descriptor `directory`, one JSON object a line."""

    def __init__(self, directory: int, name: str = "ledger") -> None:
        self._directory = directory
        self._name = name

    def append(self, line: Line, *, durable: bool = True) -> None:
        """Add `line`, which is on disk when this returns, unless it need not be `durable`.  Raises LedgerError."""
        if reason := newer(self._directory):
            raise LedgerError(f"{reason}; nothing was changed")
        data = dumps(asdict(line)).encode() + b"\n"
        if len(data) > _MAX_LINE_BYTES:
            raise LedgerError("the ledger cannot be written: the line would be too long")
        with self._locked(), self._open(self._name, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640) as file:
            # A crash may have left half a line behind: it stays, and spoils no other.
            size = os.fstat(file).st_size
            whole = not size or os.pread(file, 1, size - 1) == b"\n"
            data = data if whole else b"\n" + data
            if os.write(file, data) != len(data):
                raise LedgerError("the ledger cannot be written: no space is left")
            if durable:
                os.fsync(file)
            if not size:
                os.fsync(self._directory)  # its name is new

    def lines(self, ids: Iterable[str] | None = None) -> Iterator[Line]:
        """Every line in its order, or those of some messages; damaged ones are left out.  Raises LedgerError."""
        wanted = None if ids is None else _encoded(ids)
        for _, data in self.raw():
            line = _parsed(data) if wanted is None else _about(data, wanted)
            if line is not None:
                yield line

    def damaged(self) -> Iterator[int]:
        """The numbers of the lines that cannot be read, from 1.  Raises LedgerError."""
        return (number for number, (_, data) in enumerate(self.raw(), 1) if data.strip() and _parsed(data) is None)

    def raw(self, after: Mark = _BEGINNING) -> Iterator[tuple[Mark, bytes]]:
        """The bytes of each line, and how far the ledger is read with it.  Raises LedgerError.

        What was read before the mark `after` is left out, unless the ledger is another file or was cut since.
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

        The lock is that of a file which nobody but the owner can open: whoever may read the ledger itself could lock
        it for as long as he likes, and nothing could be done to any message.
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
    """The lines about some messages: the ledger is read once, and then only what others have added since."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._mark = Mark()
        self._of: dict[str, list[Line]] = {}
        self._wanted: dict[bytes, str] = {}

    def expect(self, ids: Iterable[str]) -> None:
        """Messages that will be asked for; of others that are asked for, all of it is read again."""
        new = set(ids) - self._of.keys()
        if new:
            self._mark = Mark()
            self._of = {id: [] for id in (*self._of, *new)}
            self._wanted = _encoded(self._of)

    def about(self, id: str) -> list[Line]:
        """The lines about one message as they are now, in their order.  Raises LedgerError."""
        self.expect({id})
        for mark, data in self._ledger.raw(self._mark):
            if mark.inode != self._mark.inode or mark.offset <= self._mark.offset:  # it begins anew
                self._of = {id: [] for id in self._of}
            line = _about(data, self._wanted)
            if not data.endswith(b"\n"):  # somebody writes it at this moment, or could not finish it
                return [*self._of[id], *([line] if line and line.id == id else [])]
            self._mark = mark
            if line:
                self._of[line.id].append(line)
        return list(self._of[id])


def _require_own(file: int) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise LedgerError("the ledger is no file of its own: somebody has put something else in its place")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines with their lengths; in the place of one that is far too long stands one that nobody can read."""
    while data := stream.readline(_MAX_LINE_BYTES):
        length, piece = len(data), data
        while len(piece) == _MAX_LINE_BYTES and not piece.endswith(b"\n"):
            piece = stream.readline(_MAX_LINE_BYTES)
            length += len(piece)
        yield length, data if length == len(data) else _UNREADABLE


def _encoded(ids: Iterable[str]) -> dict[bytes, str]:
    return {dumps(id).encode(): id for id in ids}


def _about(data: bytes, wanted: dict[bytes, str]) -> Line | None:
    """The line when it is about one of those that are `wanted`."""
    # Most lines are about others: reading all of each would take ten times as long.
    id = _ID.search(data)
    line = _parsed(data) if id and id[1] in wanted else None
    return line if line is not None and id and wanted[id[1]] == line.id else None


def _parsed(data: bytes) -> Line | None:
    try:
        fields: dict[str, Any] = loads(data)
        lists = {key: fields.pop(key, []) for key in ("recipients", "replies")}
        if not all(isinstance(value, list) for value in lists.values()):
            return None
        line = Line(**fields | {key: tuple(value) for key, value in lists.items()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    texts = (getattr(line, name) for name in ("time", "who", "origin", "act", "stage", "id", "attempt", "note"))
    whole = all(isinstance(text, str) for text in (*texts, *line.recipients, *line.replies))
    return line if whole and isinstance(line.uid, int) else None
