"""The ledger of a quarantine: who did what to which message, and what came of it.  Lines are only ever added."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from json import dumps, loads
from typing import Any

from turfmilter.stores.format import newer

# A pipe that somebody put there would keep us waiting.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ID = re.compile(rb'"id": ("(?:[^"\\]|\\.)*")')  # no text holds it: in there every quote is escaped


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what somebody is about to do (`stage` "intent"), what came of it ("outcome"), or did ("done").

    `time` is RFC 3339 in UTC, `who` the login name, `uid` its number, `origin` the terminal or host it came from.
    `attempt` joins an outcome to its intent.  `replies` are the MTA's own words, one for each of `recipients`.
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


class Ledger:
    """The file `name` in the directory with the descriptor `directory`, one JSON object a line."""

    def __init__(self, directory: int, name: str = "ledger") -> None:
        self._directory = directory
        self._name = name

    def append(self, line: Line) -> None:
        """Add `line`, which is on disk when this returns.  Raises LedgerError."""
        if reason := newer(self._directory):
            raise LedgerError(f"{reason}; nothing was changed")
        data = dumps(asdict(line)).encode() + b"\n"
        with self._open(os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # A crash may have left half a line behind: it stays, and spoils no other.
            size = os.fstat(file).st_size
            whole = not size or os.pread(file, 1, size - 1) == b"\n"
            data = data if whole else b"\n" + data
            if os.write(file, data) != len(data):
                raise LedgerError("the ledger cannot be written: no space is left")
            os.fsync(file)
            if not size:
                os.fsync(self._directory)  # its name is new

    def lines(self, ids: Iterable[str] | None = None) -> Iterator[Line]:
        """Every line in its order, or those of some messages; damaged ones are left out.  Raises LedgerError."""
        wanted = None if ids is None else {dumps(id).encode(): id for id in ids}
        for data in self._raw():
            # Most lines are about others: reading all of each would take ten times as long.
            id = _ID.search(data) if wanted is not None else None
            line = _parsed(data) if wanted is None or (id and id[1] in wanted) else None
            if line is not None and (wanted is None or (id and wanted[id[1]] == line.id)):
                yield line

    def damaged(self) -> Iterator[int]:
        """The numbers of the lines that cannot be read, from 1.  Raises LedgerError."""
        return (number for number, data in enumerate(self._raw(), 1) if data.strip() and _parsed(data) is None)

    def _raw(self) -> Iterator[bytes]:
        try:
            with self._open(os.O_RDONLY) as file, open(file, "rb", closefd=False) as stream:
                yield from stream
        except FileNotFoundError:
            return

    @contextmanager
    def _open(self, flags: int) -> Iterator[int]:
        try:
            file = os.open(self._name, flags | _CAREFULLY, 0o640, dir_fd=self._directory)
            try:
                _require_own(file)
                yield file
            finally:
                os.close(file)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LedgerError(f"the ledger cannot be opened or written: {error.strerror}") from error


def _require_own(file: int) -> None:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise LedgerError("the ledger is no file of its own: somebody has put something else in its place")


def _parsed(data: bytes) -> Line | None:
    try:
        fields: dict[str, Any] = loads(data)
        fields |= {key: tuple(fields.pop(key, ())) for key in ("recipients", "replies")}
        line = Line(**fields)
    except (ValueError, TypeError, AttributeError):
        return None
    texts = (getattr(line, name) for name in ("time", "who", "origin", "act", "stage", "id", "attempt", "note"))
    whole = all(isinstance(text, str) for text in (*texts, *line.recipients, *line.replies))
    return line if whole and isinstance(line.uid, int) else None
