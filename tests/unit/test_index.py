"""The index of a quarantine: what it finds, and that the files are believed and not it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.filter import make_quarantine
from rig.quarantine import TIME, hold
from turfmilter.core.held.message import State
from turfmilter.core.held.selection import Selection
from turfmilter.core.held.summary import BY_HAND, Summary
from turfmilter.core.table.pattern import parse_host, parse_sender
from turfmilter.stores import follower
from turfmilter.stores.index import Index
from turfmilter.stores.opened import HeldFile, OpenMaildir, written
from turfmilter.stores.rows import INSERT, SCHEMA, STORED, marks, row, stored


@pytest.fixture
def quarantine(place: Path) -> Path:
    return make_quarantine(place / "quarantine")


@pytest.fixture
def maildir(quarantine: Path) -> Iterator[OpenMaildir]:
    with OpenMaildir(quarantine) as opened:
        yield opened


class Reader:
    """Counts the files that are read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, files: Sequence[HeldFile]) -> Sequence[HeldFile]:
        self.read += [file.id for file in files]
        return files


def ids(maildir: OpenMaildir, selection: Selection | None = None, limit: int = 0) -> list[str]:
    with Index(maildir, lambda files: files) as index:
        return [held.file.id for held in index.newest(selection or Selection(), limit)]


def doubts(maildir: OpenMaildir) -> list[str]:
    with Index(maildir, lambda files: files) as index:
        return [held.summary.doubt for held in index.newest(Selection(), 0)]


def test_the_newest_come_first(quarantine: Path, maildir: OpenMaildir) -> None:
    held = [hold(quarantine, time=TIME + timedelta(minutes=minutes)) for minutes in (0, 2, 1)]
    assert ids(maildir) == [held[1], held[2], held[0]]
    assert ids(maildir, limit=2) == [held[1], held[2]]
    assert ids(maildir, limit=10**30) == ids(maildir)


MINE: dict[str, Any] = {
    "sender": '"a b"@shop.turf.example SIZE=100',
    "recipients": ("anna@example.org NOTIFY=NEVER", "bert@sub.example.org"),
    "client": "192.0.2.200",
    "name": "out.turf.example",
    "rule": "turf",
    "entry": "*-bounces@turf.example lists/turf.table:12",
    "time": TIME,
}
SUBJECT = "Subject: =?utf-8?q?50=25_off_=C3=84pfel?=\r\n"
MESSAGE = f"From: x@author.example, y@Other.Example\r\n{SUBJECT}\r\n{'x' * 2000}".encode()


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(), True),
        (Selection(sender=parse_sender("@turf.example")), True),
        (Selection(sender=parse_sender("=@turf.example")), False),
        (Selection(sender=parse_sender("=@shop.turf.example")), True),
        (Selection(sender=parse_sender("@urf.example")), False),
        (Selection(sender=parse_sender('"a b"@SHOP.turf.example')), True),
        (Selection(sender=parse_sender("a*@shop.turf.example")), True),
        (Selection(sender=parse_sender("b*@shop.turf.example")), False),
        (Selection(sender=parse_sender("a_b@shop.turf.example")), False),
        (Selection(sender=parse_sender('"a b"@')), True),
        (Selection(sender=parse_sender("<>")), False),
        (Selection(author=parse_sender("@other.example")), True),
        (Selection(author=parse_sender("@turf.example")), False),
        (Selection(recipient=parse_sender("bert@")), True),
        (Selection(recipient=parse_sender("=@example.org")), True),
        (Selection(recipient=parse_sender("carl@")), False),
        (Selection(client=parse_host("192.0.2.0/24")), True),
        (Selection(client=parse_host("192.0.2.1-192.0.2.199")), False),
        (Selection(client=parse_host("::/0")), False),
        (Selection(client=parse_host("turf.example")), True),
        (Selection(client=parse_host("=turf.example")), False),
        (Selection(rule="turf"), True),
        (Selection(rule="relay"), False),
        (Selection(entry="*-bounces@turf.example"), True),
        (Selection(entry="lists/turf.table:12"), True),
        (Selection(entry="*-bounces@turf.example lists/turf.table:12"), True),
        (Selection(entry="turf.table:12"), False),
        (Selection(entry="%"), False),
        (Selection(subject="äPFEL"), True),
        (Selection(subject="50% o"), True),
        (Selection(subject="50_"), False),
        (Selection(since=TIME), True),
        (Selection(since=TIME + timedelta(seconds=1)), False),
        (Selection(before=TIME), False),
        (Selection(before=TIME + timedelta(seconds=1)), True),
        (Selection(larger=2000), True),
        (Selection(larger=3000), False),
        (Selection(smaller=3000), True),
        (Selection(smaller=2000), False),
        (Selection(states=frozenset({State.UNREVIEWED})), True),
        (Selection(states=frozenset({State.REVIEWED, State.DELETED})), False),
        (Selection(sender=parse_sender("@turf.example"), rule="relay"), False),
    ],
    ids=str,
)
def test_every_condition_must_hold(quarantine: Path, maildir: OpenMaildir, selection: Selection, found: bool) -> None:
    hold(quarantine, MESSAGE, **MINE)
    assert bool(ids(maildir, selection)) is found
    with Index(maildir, lambda files: files) as index:
        assert index.count(selection) == found


def test_the_empty_sender_is_found_and_a_file_without_a_block_has_none(quarantine: Path, maildir: OpenMaildir) -> None:
    bounce = hold(quarantine, sender="")
    (quarantine / "new" / "by-hand").write_bytes(b"From: a@b.example\r\n\r\n")
    assert ids(maildir, Selection(sender=parse_sender("<>"))) == [bounce]
    assert ids(maildir, Selection(author=parse_sender("a@b.example"))) == ["by-hand"]


def test_messages_are_counted_by_what_they_have_in_common(quarantine: Path, maildir: OpenMaildir) -> None:
    hold(quarantine, sender="A@turf.example", time=TIME, entry="@turf.example turf.table:1")
    hold(quarantine, sender="a@TURF.example", time=TIME + timedelta(days=1), entry="@turf.example turf.table:2")
    hold(quarantine, sender="", client="local", entry="")
    quarter = TIME.replace(second=0)
    with Index(maildir, lambda files: files) as index:
        groups = {
            by: {(group.value, group.count) for group in index.groups(Selection(), by)}
            for by in ("sender", "entry", "client")
        }
        assert index.quarters(Selection()) == {quarter: 2, quarter + timedelta(days=1): 1}
        assert {group.last for group in index.groups(Selection(), "sender") if group.count == 2} == {
            TIME + timedelta(days=1)
        }
    assert groups == {
        "sender": {("a@turf.example", 2), ("<>", 1)},
        "entry": {("@turf.example", 2), ("", 1)},
        "client": {("192.0.2.7", 2), ("local", 1)},
    }


def test_a_file_is_read_once_whatever_its_flags_become(quarantine: Path, maildir: OpenMaildir) -> None:
    held, reader = [hold(quarantine) for _ in range(3)], Reader()
    with Index(maildir, reader):
        pass
    maildir.change(HeldFile(held[0], "new"), add="T")
    maildir.change(HeldFile(held[1], "new"), add="S")
    with Index(maildir, reader) as index:
        assert index.count(Selection(states=frozenset({State.DELETED}))) == 1
        assert {one.file.state for one in index.newest(Selection(), 0)} == {State.REVIEWED, State.UNREVIEWED}
    assert sorted(reader.read) == sorted(held)


def test_what_is_removed_is_gone_and_what_comes_is_there(quarantine: Path, maildir: OpenMaildir) -> None:
    first, second = hold(quarantine), hold(quarantine, time=TIME + timedelta(hours=1))
    assert ids(maildir) == [second, first]
    (quarantine / "new" / second).unlink()
    third = hold(quarantine, time=TIME + timedelta(hours=2))
    assert ids(maildir) == [third, first]
    with sqlite3.connect(quarantine / ".index") as database:
        assert database.execute("SELECT count(*) FROM address").fetchall() == [(6,)]  # three people a message


def test_a_file_that_was_written_to_is_read_again(quarantine: Path, maildir: OpenMaildir) -> None:
    id = hold(quarantine)
    assert doubts(maildir) == [""]
    path = quarantine / "new" / id
    path.write_bytes(path.read_bytes().replace(b"anna@", b"eve@"))
    assert doubts(maildir) == ["its block was changed: the seal does not hold"]


def test_a_file_that_was_written_to_and_renamed_is_read_again(quarantine: Path, maildir: OpenMaildir) -> None:
    id = hold(quarantine)
    assert doubts(maildir) == [""]
    path = (quarantine / "new" / id).rename(quarantine / "cur" / f"{id}:2,S")
    path.write_bytes(path.read_bytes().replace(b"anna@", b"eve@"))
    assert doubts(maildir) == ["its block was changed: the seal does not hold"]


@pytest.mark.parametrize(
    ("name", "content", "doubt"),
    [
        ("by-hand", b"From: a@b.example\r\n\r\n", BY_HAND),
        ("empty", b"", BY_HAND),
        ("\udcff\x1b[2J\n", b"X-Quarantine-ID: 1\r\n", BY_HAND),
        ("copied:2,S", None, "its block belongs to "),
    ],
)
def test_a_file_that_was_not_held_is_called_what_it_is(
    quarantine: Path, maildir: OpenMaildir, name: str, content: bytes | None, doubt: str
) -> None:
    id = hold(quarantine)
    (quarantine / "new" / id).rename(quarantine / "cur" / name)
    if content is not None:
        (quarantine / "cur" / name).write_bytes(content)
    [said] = doubts(maildir)
    assert said.startswith(doubt)
    assert ids(maildir) == [name.removesuffix(":2,S")]


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100] + os.urandom(8000))


def no_database(path: Path) -> None:
    path.write_bytes(b"nothing of the kind\n" * 100)


def other_version(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM held")
        database.execute("PRAGMA user_version = 999")


def other_layout(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE held DROP COLUMN summary")


def nonsense(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE held SET summary = '[1]'")


def forgetful(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM held WHERE key = 1")


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "harm", [Path.unlink, damaged, no_database, other_version, other_layout, nonsense, forgetful, a_directory]
)
def test_an_index_that_is_missing_or_damaged_is_made_anew(
    quarantine: Path, maildir: OpenMaildir, harm: Callable[[Path], None]
) -> None:
    held = [hold(quarantine, time=TIME + timedelta(hours=hours)) for hours in range(3)]
    assert ids(maildir) == held[::-1]
    harm(quarantine / ".index")
    assert ids(maildir) == held[::-1]
    assert ids(maildir) == held[::-1]


@pytest.mark.parametrize("content", ["mine", ""], ids=["a file", "an empty file, which is an empty database"])
@pytest.mark.parametrize(
    ("name", "plant"),
    [(".index", Path.symlink_to), (".index", Path.hardlink_to), (".index-journal", Path.symlink_to)],
)
def test_nothing_is_written_through_a_link_that_was_planted(
    quarantine: Path, maildir: OpenMaildir, name: str, plant: Callable[[Path, Path], None], content: str
) -> None:
    target = quarantine.parent / "target"
    target.write_text(content)
    plant(quarantine / name, target)
    id = hold(quarantine)
    assert ids(maildir) == [id]
    assert target.read_text() == content


def test_only_its_owner_can_lock_the_index(quarantine: Path, maildir: OpenMaildir) -> None:
    """A reader's lock (fcntl) keeps SQLite from writing."""
    id = hold(quarantine)
    (quarantine / ".index").touch(0o640)
    assert ids(maildir) == [id]
    assert stat.S_IMODE((quarantine / ".index").stat().st_mode) == 0o600
    (quarantine / ".index").unlink()
    assert ids(maildir) == [id]
    assert stat.S_IMODE((quarantine / ".index").stat().st_mode) == 0o600


def test_a_time_that_cannot_be_is_damage(quarantine: Path, maildir: OpenMaildir) -> None:
    id = hold(quarantine)
    path = quarantine / "new" / id
    path.write_bytes(path.read_bytes().replace(b"2026-03-01T12:30:05Z", b"0001-01-01T00:00:00"))
    assert doubts(maildir) == ["its block is damaged: X-Quarantine-Time has no time"]
    path.write_bytes(path.read_bytes().replace(b"0001-01-01T00:00:00", b"yesterday"))
    assert doubts(maildir) == ["its block is damaged: X-Quarantine-Time has no time"]


def test_the_time_of_a_file_put_in_by_hand_is_when_it_was_written(quarantine: Path, maildir: OpenMaildir) -> None:
    path = quarantine / "new" / "by-hand"
    path.write_bytes(b"\r\n")
    os.utime(path, (TIME.timestamp(), TIME.timestamp()))
    with Index(maildir, lambda files: files) as index:
        assert index.newest(Selection(), 0)[0].summary.time == datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_time_that_not_every_zone_has_is_damage(quarantine: Path, maildir: OpenMaildir, year: str) -> None:
    id = hold(quarantine)
    path = quarantine / "new" / id
    path.write_bytes(path.read_bytes().replace(b"2026-03-01T12:30:05Z", f"{year}-12-31T23:59:59Z".encode()))
    assert doubts(maildir) == ["its block is damaged: X-Quarantine-Time has no time"]


@pytest.mark.parametrize("seconds", [-1_000_000_000, 10_413_792_000, 15_000_000_000])  # 1938, 2300, 2445
def test_a_file_may_have_any_mtime(quarantine: Path, maildir: OpenMaildir, seconds: int) -> None:
    """As after a restore; in nanoseconds, times after 2262 have more than 63 bits."""
    id = hold(quarantine)
    os.utime(quarantine / "new" / id, ns=(0, seconds * 10**9))
    (quarantine / "new" / "by-hand").write_bytes(b"\r\n")
    os.utime(quarantine / "new" / "by-hand", ns=(0, seconds * 10**9))
    assert sorted(ids(maildir)) == sorted([id, "by-hand"])
    assert sorted(ids(maildir)) == sorted([id, "by-hand"])


@pytest.mark.parametrize("seconds", [-(2**63), -62_135_596_800, 253_402_300_799, 2**63 - 1])
def test_an_mtime_outside_the_calendar_is_none(seconds: int) -> None:
    """Some file systems, such as tmpfs, keep every number of seconds."""
    assert written(os.stat_result((0,) * 8 + (seconds, 0))) == datetime.fromtimestamp(0, UTC)


def test_an_inode_may_have_64_bits() -> None:
    """As on some network file systems."""
    status = os.stat_result((0o100640, 2**64 - 1, 0, 1, 0, 0, 57, 0, 0, 0))
    with sqlite3.connect(":memory:") as database:
        database.executescript(SCHEMA)
        database.execute(INSERT, row(HeldFile("some", "new"), status, Summary(TIME, 57)))
        [values] = database.execute(f"SELECT {STORED} FROM held")
    assert stored(values).marks == marks(status)


def test_a_directory_that_has_not_changed_is_not_listed_again_but_every_change_is_seen(
    quarantine: Path, maildir: OpenMaildir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is some seconds after the last change, which a test need not wait for."""
    monkeypatch.setattr(follower, "_SETTLED", 0)
    held = [hold(quarantine, time=TIME + timedelta(hours=hours)) for hours in range(3)]
    assert ids(maildir) == held[::-1]
    with monkeypatch.context() as unlistable:
        unlistable.setattr(maildir, "paths", None)
        assert ids(maildir) == held[::-1]
    forgetful(quarantine / ".index")
    assert ids(maildir) == held[::-1]
    maildir.change(HeldFile(held[0], "new"), add="T")
    assert ids(maildir) == held[:0:-1]
    times = (quarantine / "new").stat()
    (quarantine / "new" / held[1]).unlink()
    os.utime(quarantine / "new", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ids(maildir) == [held[2]]


def test_what_changes_while_it_is_listed_is_seen_the_next_time(quarantine: Path, maildir: OpenMaildir) -> None:
    hold(quarantine)
    with Index(maildir, lambda files: files):
        pass
    with sqlite3.connect(quarantine / ".index") as database:
        assert database.execute("SELECT * FROM listing").fetchall() == []


def test_a_message_that_is_moved_while_it_is_listed_is_one(quarantine: Path, maildir: OpenMaildir) -> None:
    """As mutt does it: the new name is linked before the old one is removed."""
    id = hold(quarantine)
    (quarantine / "cur" / f"{id}:2,S").hardlink_to(quarantine / "new" / id)
    assert ids(maildir) == [id]
    (quarantine / "new" / id).unlink()
    assert ids(maildir) == [id]
