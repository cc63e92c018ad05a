"""What this host has observed of its clock and of held messages, kept in the state directory: one SQLite file."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from turfmilter.config.descent import CAREFULLY
from turfmilter.core.held.message import Sighting
from turfmilter.core.steadiness import Course, Reading, StateError, observe
from turfmilter.stores.maildir import install_command

_NAME = "retention"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PATIENCE = 10.0  # seconds to wait for the transaction of another process; no transaction waits for a person
_ENDLESS = 1e12  # seconds: 30,000 years
_HOUR = 3600.0  # seconds, as Course.watched counts them
_VERSION = 1
# WITHOUT ROWID: the key is most of the row.
_SCHEMA = """
CREATE TABLE course (
    wall REAL, boottime REAL, boot TEXT, anchor_wall REAL, anchor_boottime REAL,
    watched REAL, steady_from REAL, jump TEXT
);
CREATE TABLE seen (
    directory TEXT, id BLOB, reviewed INTEGER, since REAL, PRIMARY KEY (directory, id, reviewed)
) WITHOUT ROWID;
CREATE TABLE hour (directory TEXT PRIMARY KEY, begun REAL, taken INTEGER) WITHOUT ROWID;
"""


class RetentionState:
    """Implements ports.RetentionMemory in the directory `path`: each method is a transaction, or raises StateError."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def observe(self, now: Reading) -> Course:
        """Record a reading of the clocks, and return how they have run so far."""
        with self._transaction() as database:
            course = observe(_course(database), now)
            database.execute("DELETE FROM course")
            database.execute("INSERT INTO course VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _row(course))
        return course

    def seen(self, store: str, present: Collection[Sighting], watched: float) -> dict[Sighting, float]:
        """Return for how many seconds each message in `present` has been seen as it is; forget all others."""
        with self._transaction() as database:
            query = "SELECT id, reviewed, since FROM seen WHERE directory = ?"
            known = {
                Sighting(os.fsdecode(id), bool(flag)): _seconds(at)
                for id, flag, at in database.execute(query, (store,))
            }
            come = [one for one in present if one not in known]
            gone = known.keys() - set(present)
            database.executemany("INSERT INTO seen VALUES (?, ?, ?, ?)", ((*_key(store, one), watched) for one in come))
            forget = "DELETE FROM seen WHERE (directory, id, reviewed) = (?, ?, ?)"
            database.executemany(forget, (_key(store, one) for one in gone))
        return {one: max(watched - known.get(one, watched), 0.0) for one in present}

    def left(self, store: str, most: int, watched: float) -> int:
        """Return how many of `most` unreviewed messages may still be removed in this hour."""
        with self._transaction() as database:
            return max(most - _taken(database, store, watched)[1], 0)

    def take(self, store: str, wanted: int, most: int, watched: float) -> int:
        """As `left`, at most `wanted`; they count as removed from now on."""
        with self._transaction() as database:
            begun, taken = _taken(database, store, watched)
            granted = min(wanted, max(most - taken, 0))
            database.execute("REPLACE INTO hour VALUES (?, ?, ?)", (store, begun, taken + granted))
        return granted

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: it is on disk at the end, or has no effect."""
        if self._path is None:
            raise StateError('state = ""')
        try:
            with closing(sqlite3.connect(_file(self._path), timeout=_PATIENCE, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                _require_layout(database)
                yield database
                database.execute("COMMIT")
        except OSError as error:
            fix = install_command(self._path) if error.errno in (errno.ENOENT, errno.EACCES) else ""
            raise StateError(f"state {error.filename}: {error.strerror}", fix) from error
        except sqlite3.OperationalError as error:
            raise StateError(f"state {self._path / _NAME}: {error}") from error
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            # SQLite has no checksums.  With a new file, no message expires before it has been observed long enough.
            with suppress(OSError):
                (self._path / _NAME).unlink()
            raise StateError(f"state {self._path / _NAME}: it was damaged ({error}) and is begun again") from error


def read_clocks() -> Reading:
    """Read the clocks of this host.  Raises StateError."""
    try:
        boot = _BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StateError(f"{_BOOT_ID}: {reason} (ProcSubset=pid in the unit hides it)") from error
    return Reading(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)


def _file(directory: Path) -> Path:
    """Return the path of the database, which is created if necessary.  Raises OSError.

    Only the owner may open it: every user who can read a file can lock it (fcntl) for any length of time.
    """
    path = directory / _NAME
    # Before SQLite locks it: a process that closes any descriptor of a file loses its locks on that file (fcntl).
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | CAREFULLY, 0o600))
    return path


def _require_layout(database: sqlite3.Connection) -> None:
    [(version,)] = database.execute("PRAGMA user_version")
    if version == _VERSION:
        return
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        database.execute(f'DROP TABLE "{table}"')
    for statement in filter(str.strip, _SCHEMA.split(";")):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {_VERSION}")


def _course(database: sqlite3.Connection) -> Course | None:
    row = database.execute("SELECT * FROM course").fetchone()
    if row is None:
        return None
    wall, boottime, boot, anchor_wall, anchor_boottime, watched, steady_from, jump = row
    last = Reading(_seconds(wall), _seconds(boottime), str(boot))
    anchor = Reading(_seconds(anchor_wall), _seconds(anchor_boottime), str(boot))  # always of the same boot
    course = Course(last, anchor, _seconds(watched), _seconds(steady_from), str(jump))
    if not 0 <= course.steady_from <= course.watched:
        raise ValueError("a time that has not come yet")
    return course


def _seconds(stored: Any) -> float:
    """Return a stored number.  Raises ValueError and TypeError if no clock of ours could have shown it."""
    seconds = float(stored)
    if not abs(seconds) < _ENDLESS:  # nor is it NaN
        raise ValueError("a time that no clock shows")
    return seconds


def _row(course: Course) -> tuple[object, ...]:
    last, anchor = course.last, course.anchor
    clocks = (last.wall, last.boottime, last.boot, anchor.wall, anchor.boottime)
    return (*clocks, course.watched, course.steady_from, course.jump)


def _key(store: str, one: Sighting) -> tuple[str, bytes, bool]:
    return store, os.fsencode(one.id), one.reviewed


def _taken(database: sqlite3.Connection, store: str, watched: float) -> tuple[float, int]:
    """Return when the current hour began, in watched seconds, and how many messages were removed in it."""
    row = database.execute("SELECT begun, taken FROM hour WHERE directory = ?", (store,)).fetchone()
    if row is None or not 0 <= watched - row[0] < _HOUR:
        return watched, 0
    return float(row[0]), max(int(_seconds(row[1])), 0)
