"""The index: summaries of the files of one quarantine, kept beside them so that they need not be read each time.

It is a cache.  Only what the directory lists exists; what is missing, outdated or damaged in the index is read again.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from turfmilter.config.descent import CAREFULLY
from turfmilter.core.held.selection import By, Group, Selection
from turfmilter.stores.conditions import Role, where
from turfmilter.stores.follower import Follower, Watch
from turfmilter.stores.opened import OpenMaildir
from turfmilter.stores.rows import STORED, Stored, marks, stored

_NAME = ".index"
_PATIENCE = 60.0  # seconds to wait for another turfctl that builds it; then this one uses an index in memory
_TRIES = 5
# Each message has one value of these, and one row of the same role in `address` for each author and recipient.
_COLUMNS = {"sender": "sender", "entry": "matched", "client": "client"}
_ADDRESSES: dict[By, Role] = {"author": "author", "recipient": "recipient", "domain": "sender"}
_MAILBOX = "CASE WHEN domain = '' THEN local ELSE local || '@' || domain END"
_DOMAIN = "CASE WHEN domain = '' AND local = '' THEN '<>' ELSE domain END"
# No room, no permission, a read-only file system, or another turfctl that does not finish.
_NOT_TO_BE_KEPT = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
_QUARTER = 900  # seconds


class Index:
    """The index of one quarantine.  `watch` receives the files that must be read, and yields them one by one."""

    def __init__(self, maildir: OpenMaildir, watch: Watch) -> None:
        self._maildir = maildir
        self._watch = watch
        try:
            self._database = self._opened(":memory:" if maildir.newer else _path(maildir))
        except (sqlite3.DatabaseError, OSError) as error:
            self._database = self._another(error)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def newest(self, selection: Selection, limit: int) -> list[Stored]:
        """Return the newest of the selected messages, at most `limit` (0: all), compared with their files."""
        condition, values = where(selection)
        query = f"SELECT {STORED} FROM held WHERE {condition} ORDER BY time DESC, file DESC LIMIT ?"
        for _ in range(_TRIES):
            found = self._stored(query, (*values, min(limit, sys.maxsize) or -1))
            stale = [one for one in found if not self._is_current(one)]
            if not stale:
                break
            self._follow(self._database, forget=[one.key for one in stale])
            found = [one for one in found if one not in stale]
        return found

    def count(self, selection: Selection) -> int:
        """Return the number of selected messages."""
        condition, values = where(selection)
        [(number,)] = self._ask(f"SELECT count(*) FROM held WHERE {condition}", values)
        return int(number)

    def groups(self, selection: Selection, by: By) -> list[Group]:
        """Return the selected messages, counted by what they have in common; one of two recipients is counted twice."""
        condition, values = where(selection)
        value, source = _COLUMNS.get(by), "held"
        if value is None:
            value = f"ifnull({_DOMAIN if by == 'domain' else _MAILBOX}, '')"
            source = "held LEFT JOIN address ON held = key AND role = ?"
            values = (_ADDRESSES[by], *values)
        query = f"SELECT {value}, count(DISTINCT key), max(time) FROM {source} WHERE {condition} GROUP BY 1"
        rows = self._ask(query, values)
        return [Group(value, number, datetime.fromtimestamp(last, UTC)) for value, number, last in rows]

    def quarters(self, selection: Selection) -> dict[datetime, int]:
        """Return how many of the selected messages were held in each quarter of an hour, by its beginning, UTC."""
        condition, values = where(selection)
        query = f"SELECT CAST(time / {_QUARTER} AS INTEGER), count(*) FROM held WHERE {condition} GROUP BY 1"
        return {datetime.fromtimestamp(_QUARTER * at, UTC): number for at, number in self._ask(query, values)}

    def _stored(self, query: str, values: tuple[object, ...]) -> list[Stored]:
        try:
            return [stored(values) for values in self._ask(query, values)]
        except (ValueError, TypeError) as error:  # SQLite has no checksums: such damage shows only in the values
            self._start_again(error)
            return [stored(values) for values in self._ask(query, values)]

    def _ask(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            self._start_again(error)
            return self._database.execute(query, values).fetchall()

    def _is_current(self, one: Stored) -> bool:
        try:
            return marks(self._maildir.stat(one.file)) == one.marks
        except FileNotFoundError:
            return False

    def _start_again(self, error: Exception) -> None:
        self._database.close()
        self._database = self._another(error)

    def _another(self, error: Exception) -> sqlite3.Connection:
        """Return a new index in place of a damaged one; one in memory if none can be kept on disk."""
        kept = getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_TO_BE_KEPT and not isinstance(error, OSError)
        if self._maildir.newer or not kept:
            return self._opened(":memory:")
        try:
            os.unlink(_NAME, dir_fd=self._maildir.root)
            return self._opened(_path(self._maildir))
        except (sqlite3.DatabaseError, OSError):
            return self._opened(":memory:")

    def _opened(self, path: str) -> sqlite3.Connection:
        # isolation_level None: transactions begin and end only where the code says so.
        database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        try:
            self._follow(database)
        except BaseException:
            database.close()
            raise
        return database

    def _follow(self, database: sqlite3.Connection, *, forget: Iterable[int] = ()) -> None:
        """Update `database` to what the directory lists now; the rows in `forget` are read again."""
        database.execute("BEGIN IMMEDIATE")  # if two processes see the same new files, one reads them
        try:
            Follower(database, self._maildir, self._watch).follow(forget)
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")


def _path(maildir: OpenMaildir) -> str:
    """Return a path by which SQLite can open the index.  Raises OSError if it cannot be created.

    Only the owner may open it: every user who can read a file can lock it (fcntl), and turfctl would wait for that.
    """
    with suppress(FileNotFoundError):
        status = os.stat(_NAME, dir_fd=maildir.root, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # SQLite would follow a link
            os.unlink(_NAME, dir_fd=maildir.root)
    descriptor = os.open(_NAME, os.O_RDWR | os.O_CREAT | CAREFULLY, 0o600, dir_fd=maildir.root)
    try:
        os.fchmod(descriptor, 0o600)  # an older version has created it with 0640
    finally:
        os.close(descriptor)
    return f"/proc/self/fd/{maildir.root}/{_NAME}"
