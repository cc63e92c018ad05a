"""How an index follows its quarantine: what is listed no more is forgotten, what is new is read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from turfmilter.core.held.message import NotAMessage
from turfmilter.core.held.summary import Summary, summarise
from turfmilter.stores.opened import HeldFile, OpenMaildir
from turfmilter.stores.rows import INSERT, SCHEMA, VERSION, mailboxes, marks, row

Watch = Callable[[Sequence[HeldFile]], Iterable[HeldFile]]

_KEY = "(SELECT key FROM held WHERE (part, file, inode) = (?, ?, ?))"
_FORGET_ADDRESSES = f"DELETE FROM address WHERE held IN {_KEY}"
_FORGET = "DELETE FROM held WHERE (part, file, inode) = (?, ?, ?)"
# One text for all: a hundred thousand rows of three values would take longer than everything else.
_PATHS = """
SELECT CAST(group_concat(part || '/' || file || '/' || inode, x'00') AS BLOB) FROM held INDEXED BY held_file
"""
_SETTLED = 3_000_000_000  # nanoseconds; file systems tell times apart no better than within 2 s


class Follower:
    """Brings the index in `database` to what `maildir` lists, within a transaction of the caller's.

    `watch` is shown the files that must be read, and gives them back one by one.
    """

    def __init__(self, database: sqlite3.Connection, maildir: OpenMaildir, watch: Watch) -> None:
        self._database = database
        self._maildir = maildir
        self._watch = watch

    def follow(self, forget: Iterable[int]) -> None:
        """Catch up with the directory; the rows with the keys to `forget` are made anew."""
        self._require_layout()
        forgotten = [(key,) for key in forget]
        self._database.executemany("DELETE FROM address WHERE held = ?", forgotten)
        self._database.executemany("DELETE FROM held WHERE key = ?", forgotten)
        now, changed = time.time_ns(), self._maildir.changed()
        if self._is_listed(changed):
            return
        self._catch_up()
        # A change in the very moment of the listing may bear the same time: then it does not count as listed.
        if max(changed) < now - _SETTLED:
            self._database.execute("DELETE FROM listing")
            self._database.execute("INSERT INTO listing SELECT ?, ?, count(*) FROM held", changed)

    def _is_listed(self, changed: tuple[int, int]) -> bool:
        """True when nothing has been added to the directories, removed or renamed since, and no row is missing."""
        query = "SELECT 1 FROM listing WHERE (new, cur) = (?, ?) AND files = (SELECT count(*) FROM held)"
        return self._database.execute(query, changed).fetchone() is not None

    def _require_layout(self) -> None:
        [(version,)] = self._database.execute("PRAGMA user_version")
        if version == VERSION:
            return
        for (table,) in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            self._database.execute(f'DROP TABLE "{table}"')
        for statement in filter(str.strip, SCHEMA.split(";")):
            self._database.execute(statement)
        self._database.execute(f"PRAGMA user_version = {VERSION}")

    def _catch_up(self) -> None:
        """Forget what is listed no more, and read what is new."""
        listed, known = self._maildir.paths(), self._known()
        if come := listed - known:
            listed -= _other_paths(listed, come)
        gone = dict(map(_parted, known - listed))
        # A message whose flags have changed is the same: it need not be read again.
        before = {(file.id, inode): file for file, inode in gone.items()}
        unread = []
        for file, inode in sorted(map(_parted, listed - known)):
            old = before.get((file.id, inode))
            if old in gone and self._rename(_row(old, inode), file):
                del gone[old]
            else:
                unread.append(file)
        rows = [_row(file, inode) for file, inode in gone.items()]
        self._database.executemany(_FORGET_ADDRESSES, rows)
        self._database.executemany(_FORGET, rows)
        for file in self._watch(unread):
            self._read(file)

    def _known(self) -> set[str]:
        """The paths in the index, as the directory has them."""
        [(paths,)] = self._database.execute(_PATHS)
        return set(os.fsdecode(paths).split("\0")) if paths else set()

    def _rename(self, old: tuple[str, bytes, int], file: HeldFile) -> bool:
        """False when the file is gone again.  One that was written to as well is still known by its other marks."""
        try:
            changed = marks(self._maildir.stat(file)).changed
        except FileNotFoundError:
            return False
        self._database.execute(
            "UPDATE held SET part = ?, file = ?, state = ?, changed = ? WHERE (part, file, inode) = (?, ?, ?)",
            (file.part, os.fsencode(file.name), file.state.value, changed, *old),
        )
        return True

    def _read(self, file: HeldFile) -> None:
        try:
            status, summary = _summary(self._maildir, file)
        except FileNotFoundError:  # gone, or renamed, since it was listed
            return
        key = self._database.execute(INSERT, row(file, status, summary)).lastrowid
        addresses = ((key, *mailbox) for mailbox in mailboxes(summary))
        self._database.executemany("INSERT INTO address VALUES (?, ?, ?, ?)", addresses)


def _other_paths(listed: set[str], come: set[str]) -> set[str]:
    """The paths that do not count: a message that is moved in this moment is listed twice, and stands in cur then."""
    inodes = {path.rpartition("/")[2] for path in come}
    same = {path for path in listed if path.rpartition("/")[2] in inodes}
    messages = {(file.id, inode): path for path in sorted(same, reverse=True) for file, inode in [_parted(path)]}
    return same.difference(messages.values())


def _parted(path: str) -> tuple[HeldFile, int]:
    part, name, inode = path.split("/")
    return HeldFile(name, part), int(inode)


def _row(file: HeldFile, inode: int) -> tuple[str, bytes, int]:
    return file.part, os.fsencode(file.name), inode


def _summary(maildir: OpenMaildir, file: HeldFile) -> tuple[os.stat_result, Summary]:
    """What stands in a file, or why nothing can be read in it.  Raises FileNotFoundError."""
    try:
        with maildir.open(file) as opened:
            status = os.fstat(opened.fileno())
            return status, summarise(opened, file.id, status.st_size, _written(status))
    except NotAMessage as error:
        doubt = str(error)
    except FileNotFoundError:
        raise
    except OSError as error:
        doubt = f"it cannot be read: {error.strerror}"
    status = maildir.stat(file)
    return status, Summary(_written(status), status.st_size, doubt=doubt)


def _written(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)
