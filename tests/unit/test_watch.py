"""A changed file is seen once, and not before it has been left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from turfmilter.daemon.reload import WatchedFiles, file_states

LATER = 1e12  # whatever was read had been left alone for long


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "turf.table"
    path.write_text("@a.test\n")
    return path


def test_what_does_not_change_is_not_seen(table: Path) -> None:
    watch = WatchedFiles([table], {}, LATER)
    assert [watch.changed() for _ in range(3)] == [False] * 3


def test_a_change_is_seen_once_at_the_second_look(table: Path) -> None:
    watch = WatchedFiles([table], {}, LATER)
    table.write_text("@a.test\n@b.test\n")
    assert [watch.changed() for _ in range(4)] == [False, True, False, False]


def test_a_file_that_is_being_written_is_left_alone(table: Path) -> None:
    watch = WatchedFiles([table], {}, LATER)
    for number in range(5):
        with table.open("a") as file:
            file.write(f"@b{number}.test\n")
        assert not watch.changed()
    assert watch.changed()


def test_another_file_of_the_same_size_and_time_is_another_file(table: Path) -> None:
    watch = WatchedFiles([table], {}, LATER)
    before = table.stat()
    other = table.with_name("other")
    other.write_text("@b.test\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(table)
    assert [watch.changed() for _ in range(2)] == [False, True]


def test_a_file_that_goes_and_one_that_comes_back_are_changes(table: Path) -> None:
    watch = WatchedFiles([table], {}, LATER)
    table.unlink()
    assert [watch.changed() for _ in range(3)] == [False, True, False]
    table.write_text("@a.test\n")
    assert [watch.changed() for _ in range(3)] == [False, True, False]


def test_what_changed_while_it_was_read_is_a_change(table: Path, tmp_path: Path) -> None:
    before = file_states([table])
    table.write_text("@b.test\n@c.test\n")
    watch = WatchedFiles([table, tmp_path / "new"], before, LATER)
    assert [watch.changed() for _ in range(2)] == [False, True]


def test_what_is_younger_than_the_reading_of_it_may_have_changed_since(table: Path) -> None:
    begun = table.stat().st_mtime
    watch = WatchedFiles([table], {}, begun + 1)
    assert [watch.changed() for _ in range(2)] == [False] * 2
    watch = WatchedFiles([table], {}, begun - 1)
    assert [watch.changed() for _ in range(3)] == [False, True, False]
