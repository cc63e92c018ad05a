"""How an index follows its quarantine: files that are gone are forgotten, new files are read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence

from turfmilter.core.held.message import NotAMessage
from turfmilter.core.held.summary import Summary, summarise
from turfmilter.stores.opened import HeldFile, OpenMaildir, written
from turfmilter.stores.rows import INSERT, SCHEMA, VERSION, mailboxes, marks, row

Watch = Callable[[Sequence[HeldFile]], Iterable[HeldFile]]

_KEY = "(SELECT key FROM held WHERE (part, file, inode) = (?, ?, ?))"
_FORGET_ADDRESSES = f"DELETE FROM address WHERE held IN {_KEY}"
_FORGET = "DELETE FROM held WHERE (part, file, inode) = (?, ?, ?)"
# All paths in one text: fetching 100,000 rows of three values would take longer than everything else.
_PATHS = """
SELECT CAST(group_concat(part || '/' || file || '/' || inode, x'00') AS BLOB) FROM held INDEXED BY held_file
"""
_SETTLED = 3_000_000_000  # nanoseconds; some file systems store times with a resolution of 2 s


class Follower:
    """Updates the index in `database` to what `maildir` lists, within a transaction of the caller.

    `watch` receives the files that must be read, and yields them one by one.
    """

    def __init__(self, database: sqlite3.Connection, maildir: OpenMaildir, watch: Watch) -> None:
        self._database = database
        self._maildir = maildir
        self._watch = watch

    def follow(self, forget: Iterable[int]) -> None:
        """Update the index; the rows with the keys in `forget` are read again."""
        self._require_layout()
        forgotten = [(key,) for key in forget]
        self._database.executemany("DELETE FROM address WHERE held = ?", forgotten)
        self._database.executemany("DELETE FROM held WHERE key = ?", forgotten)
        now, changed = time.time_ns(), self._maildir.changed()
        if self._is_listed(changed):
            return
        self._catch_up()
        # A later change can have the same time as this listing: then the directory is listed again next time.
        if max(changed) < now - _SETTLED:
            self._database.execute("DELETE FROM listing")
            self._database.execute("INSERT INTO listing SELECT ?, ?, count(*) FROM held", tuple(map(str, changed)))

    def _is_listed(self, changed: tuple[int, int]) -> bool:
        """Return whether the directories have not changed since they were listed, and no row is missing."""
        query = "SELECT 1 FROM listing WHERE (new, cur) = (?, ?) AND files = (SELECT count(*) FROM held)"
        return self._database.execute(query, tuple(map(str, changed))).fetchone() is not None

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
        """Forget files that are no longer listed, and read new ones."""
        listed, known = self._maildir.paths(), self._known()
        if come := listed - known:
            listed -= _other_paths(listed, come)
        gone = dict(map(_parted, known - listed))
        # A message whose flags have changed need not be read again.
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
        """Return the paths in the index, in the form of OpenMaildir.paths."""
        [(paths,)] = self._database.execute(_PATHS)
        return set(os.fsdecode(paths).split("\0")) if paths else set()

    def _rename(self, old: tuple[str, bytes, str], file: HeldFile) -> bool:
        """Update a renamed file; return False if it is gone.  If it was also written to, its other marks show that."""
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
    """Return the old paths of messages that are listed twice because they are being moved to cur at this moment."""
    inodes = {path.rpartition("/")[2] for path in come}
    same = {path for path in listed if path.rpartition("/")[2] in inodes}
    messages = {(file.id, inode): path for path in sorted(same, reverse=True) for file, inode in [_parted(path)]}
    return same.difference(messages.values())


def _parted(path: str) -> tuple[HeldFile, str]:
    part, name, inode = path.split("/")
    return HeldFile(name, part), inode


def _row(file: HeldFile, inode: str) -> tuple[str, bytes, str]:
    return file.part, os.fsencode(file.name), inode


def _summary(maildir: OpenMaildir, file: HeldFile) -> tuple[os.stat_result, Summary]:
    """Return the summary of a file, or one that tells why it cannot be read.  Raises FileNotFoundError."""
    try:
        with maildir.open(file) as opened:
            status = os.fstat(opened.fileno())
            return status, summarise(opened, file.id, status.st_size, written(status))
    except NotAMessage as error:
        doubt = str(error)
    except FileNotFoundError:
        raise
    except OSError as error:
        doubt = f"it cannot be read: {error.strerror}"
    status = maildir.stat(file)
    return status, Summary(written(status), status.st_size, doubt=doubt)
