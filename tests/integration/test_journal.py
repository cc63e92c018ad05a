"""The journal on disk: what processes write, what is read of it, and what becomes of old files."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from rig.filesystem import tmpfs
from turfmilter.core.journal.line import encode
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.session import Connection
from turfmilter.stores.journal import JournalDirectory, maintain
from turfmilter.stores.journalfile import JournalFile

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.mkdir()
    return path


def one(number: int, *, time: datetime | None = None, session: str = "a-1") -> Transaction:
    """A transaction that is recognised by its queue id."""
    return Transaction(
        time or NOON + timedelta(seconds=number), session, Connection(), queue_id=str(number), sender="<a@b.example>"
    )


def write(directory: Path, process: str, *transactions: Transaction) -> None:
    """Let a process write, and end."""
    file = JournalFile(directory, process, 0.0)
    file.append([encode(transaction) for transaction in transactions])
    file.close()


def ids(transactions: Iterator[Transaction]) -> list[int]:
    return [int(transaction.queue_id) for transaction in transactions]


def everything(_: bytes) -> bool:
    return True


def test_the_lines_of_all_processes_are_read_in_the_order_of_time(directory: Path) -> None:
    write(directory, "a", *(one(number) for number in (1, 3, 5)))
    write(directory, "b", *(one(number) for number in (2, 4, 6)))
    journal = JournalDirectory(directory)
    assert ids(journal.oldest(None, everything)) == [1, 2, 3, 4, 5, 6]
    assert ids(journal.newest(None, everything)) == [6, 5, 4, 3, 2, 1]
    assert journal.begins() == one(1).time
    assert not journal.skipped


def test_an_empty_journal_begins_at_no_time(directory: Path) -> None:
    journal = JournalDirectory(directory)
    assert journal.begins() is None
    assert list(journal.newest(None, everything)) == []


def test_what_ended_before_a_time_is_left_out(directory: Path) -> None:
    write(directory, "a", *(one(number, time=NOON - number * DAY) for number in range(5, -1, -1)))
    journal = JournalDirectory(directory)
    assert ids(journal.oldest(NOON - 2 * DAY, everything)) == [2, 1, 0]
    assert ids(journal.newest(NOON - 2 * DAY, everything)) == [0, 1, 2]


def test_only_wanted_lines_are_read(directory: Path) -> None:
    write(directory, "a", *(one(number) for number in range(10)))
    assert ids(JournalDirectory(directory).newest(None, lambda line: b'"queue_id":"7"' in line)) == [7]


def test_each_day_has_a_file_of_its_own_that_only_the_filter_and_its_group_can_read(directory: Path) -> None:
    write(directory, "a", one(1), one(2, time=NOON + DAY))
    files = sorted(directory.iterdir())
    assert [file.name for file in files] == ["2026-12-01.a.1.jsonl", "2026-12-02.a.2.jsonl"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o640}


def test_all_transactions_of_one_connection_are_in_one_share(directory: Path) -> None:
    for process in "abcde":
        write(directory, process, *(one(number, time=NOON + number * DAY, session=process) for number in range(3)))
    shares = [list(share()) for share in JournalDirectory(directory).shares(None, 2)]
    assert len(shares) == 2
    assert all(shares)
    sessions = [{transaction.session for transaction in share} for share in shares]
    assert sorted([*sessions[0], *sessions[1]]) == list("abcde")
    for share in shares:
        for session in {transaction.session for transaction in share}:
            assert [int(t.queue_id) for t in share if t.session == session] == [0, 1, 2]


@pytest.mark.parametrize("rest", [b'{"v":1,"time":"2026-12-01T12:00', b""])
def test_a_line_without_an_end_is_counted_and_hides_nothing(directory: Path, rest: bytes) -> None:
    write(directory, "a", one(1), one(2))
    (file,) = directory.iterdir()
    file.write_bytes(file.read_bytes() + b"garbage\n" + encode(one(3)).replace(b'"v":1', b'"v":9') + rest)
    journal = JournalDirectory(directory)
    assert ids(journal.oldest(None, everything)) == [1, 2]
    truncated = {"truncated": 1} if rest else {}
    assert journal.skipped == {"damaged": 1, "version 9": 1, **truncated}


def test_a_compressed_file_that_was_cut_off_is_read_as_far_as_it_goes(directory: Path) -> None:
    write(directory, "a", *(one(number) for number in range(1000)))
    maintain(directory, NOON, 30 * DAY, 0)
    (file,) = directory.iterdir()
    file.write_bytes(file.read_bytes()[:-200])
    journal = JournalDirectory(directory)
    found = ids(journal.oldest(None, everything))
    assert 0 < len(found) < 1000
    assert found == list(range(len(found)))
    assert journal.skipped["truncated"] >= 1


def test_files_of_others_are_not_read(directory: Path) -> None:
    (directory / "notes.jsonl").write_bytes(encode(one(1)))
    (directory / "2026-12-01.a.1.jsonl.swp").write_bytes(encode(one(1)))
    (directory / "2026-12-01.b.1.jsonl").symlink_to("notes.jsonl")
    with pytest.raises(OSError, match="symbolic"):
        list(JournalDirectory(directory).oldest(None, everything))


def test_a_file_is_compressed_once_its_process_has_ended(directory: Path) -> None:
    file = JournalFile(directory, "a", 0.0)
    file.append([encode(one(1))])
    write(directory, "b", one(2))
    maintain(directory, NOON, 30 * DAY, 0)
    assert sorted(path.name for path in directory.iterdir()) == ["2026-12-01.a.1.jsonl", "2026-12-01.b.1.jsonl.gz"]
    file.append([encode(one(3))])
    file.close()
    size = maintain(directory, NOON, 30 * DAY, 0)
    assert {path.suffix for path in directory.iterdir()} == {".gz"}
    assert size == sum(path.stat().st_size for path in directory.iterdir())
    assert ids(JournalDirectory(directory).oldest(None, everything)) == [1, 2, 3]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o640}


def test_both_forms_of_a_file_are_read_once(directory: Path) -> None:
    write(directory, "a", one(1))
    (file,) = directory.iterdir()
    file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert ids(JournalDirectory(directory).oldest(None, everything)) == [1]
    maintain(directory, NOON, 30 * DAY, 0)
    assert [path.suffix for path in directory.iterdir()] == [".gz"]


def test_old_files_are_removed_and_then_the_oldest_until_the_rest_is_small_enough(directory: Path) -> None:
    for age in (40, 31, 30, 3, 2, 1):
        write(directory, f"p{age}", *(one(number, time=NOON - age * DAY) for number in range(100)))
    maintain(directory, NOON, 30 * DAY, 0)
    ages = [(NOON.date() - date.fromisoformat(path.name[:10])).days for path in sorted(directory.iterdir())]
    assert ages == [30, 3, 2, 1]
    largest = max(path.stat().st_size for path in directory.iterdir())
    left = maintain(directory, NOON, 30 * DAY, 2 * largest)
    assert left <= 2 * largest
    assert sorted(path.name[:10] for path in directory.iterdir()) == ["2026-11-29", "2026-11-30"]


def test_a_file_that_is_written_to_is_never_removed_for_room(directory: Path) -> None:
    file = JournalFile(directory, "a", 0.0)
    file.append([encode(one(1))])
    maintain(directory, NOON, 30 * DAY, 1)
    file.close()
    assert ids(JournalDirectory(directory).oldest(None, everything)) == [1]


def test_what_a_killed_process_left_behind_is_removed_after_an_hour(directory: Path) -> None:
    for name, age in (("old", 7200), ("new", 10)):
        path = directory / f".2026-12-01.{name}.1.jsonl"
        path.write_bytes(b"")
        moment = NOON.timestamp() - age
        os.utime(path, (moment, moment))
    maintain(directory, NOON, 30 * DAY, 0)
    assert [path.name for path in directory.iterdir()] == [".2026-12-01.new.1.jsonl"]


def test_on_a_full_disk_whole_lines_are_missing_and_never_half_of_one(directory: Path) -> None:
    with tmpfs(directory, size="64k"):
        file = JournalFile(directory, "a", 0.0)
        kept = []
        for number in range(2000):
            try:
                file.append([encode(one(number))])
                kept.append(number)
            except OSError as error:
                assert error.strerror == "No space left on device"
            if number == 1000:
                for path in directory.iterdir():
                    path.unlink()
                kept.clear()
        file.close()
        journal = JournalDirectory(directory)
        assert ids(journal.oldest(None, everything)) == kept
        assert not journal.skipped
        assert kept


def test_the_room_for_held_mail_is_left_free(directory: Path) -> None:
    with tmpfs(directory, size="1m"):
        file = JournalFile(directory, "a", 0.25)  # so that half of the file system is left free
        with pytest.raises(OSError, match=r"less than twice quarantine\.floor is free"):
            for number in range(10_000):
                file.append([encode(one(number))])
        file.close()
        used = sum(path.stat().st_size for path in directory.iterdir())
        assert 256 * 1024 < used < 600 * 1024
