"""Retention: what goes, in which order, and what never does."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.desk import SLIP, Desk
from turfmilter.config.quarantine import QuarantineConfig
from turfmilter.core.ports import QuarantineError
from turfmilter.review.expiry import Expiry
from turfmilter.stores.maildir import Maildir

TERMS = replace(QuarantineConfig(), floor=0.0)
DAY = timedelta(days=1)


class Shelf:
    """A quarantine with messages of some age."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        (desk.path / "new" / desk.file.name).unlink()

    def put(self, flags: str = "", *, days: float = 0, size: int = 1000) -> str:
        """A message that was held so many days ago; its flags are set today, for that is what ctime says."""
        file = self.desk.hold(message=b"x" * size)
        at = time.time() - days * 86400
        os.utime(self.desk.path / "new" / file.name, (at, at))
        return (self.desk.maildir.change(file, add=flags) if flags else file).id

    def expiry(self, terms: QuarantineConfig = TERMS, *, later: timedelta = timedelta()) -> Expiry:
        return Expiry(self.desk.maildir, self.desk.recorder, terms, lambda: datetime.now(UTC) + later)

    def due(self, terms: QuarantineConfig = TERMS, *, later: timedelta = timedelta()) -> list[tuple[str, str]]:
        return [(due.file.id, due.why) for due in self.expiry(terms, later=later).due()]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    desk = Desk(tmp_path / "quarantine")
    with desk.maildir:
        yield Shelf(desk)


@pytest.mark.parametrize(
    ("flags", "days", "later", "why"),
    [
        ("", 29, 0, None),
        ("", 31, 0, "unreviewed, for 31 days"),
        ("S", 100, 6, None),
        ("S", 0, 8, "reviewed, for 8 days"),
        ("PS", 0, 8, "released, for 8 days"),
        ("T", 0, 8, "deleted, for 8 days"),
        ("T", 100, 6, None),
        ("F", 100, 0, None),
        ("FS", 0, 100, None),
    ],
)
def test_what_is_too_old(shelf: Shelf, flags: str, days: int, later: int, why: str | None) -> None:
    id = shelf.put(flags, days=days)
    assert shelf.due(later=later * DAY) == ([(id, why)] if why else [])


def test_room_is_made_of_what_was_reviewed_the_oldest_first_and_never_of_the_rest(shelf: Shelf) -> None:
    shelf.put()
    first, second, deleted = shelf.put("S"), shelf.put("PS"), shelf.put("T")
    shelf.put("FS")
    size = _size(shelf)
    assert shelf.due(replace(TERMS, max_size=4 * size)) == []
    assert shelf.due(replace(TERMS, max_size=4 * size - 1)) == [(deleted, "deleted, to make room")]
    assert shelf.due(replace(TERMS, max_size=1)) == [
        (deleted, "deleted, to make room"),
        (first, "reviewed, to make room"),
        (second, "released, to make room"),
    ]


def test_a_disk_below_its_floor_is_given_room(shelf: Shelf) -> None:
    reviewed = shelf.put("S")
    shelf.put()
    assert [id for id, _ in shelf.due(replace(TERMS, floor=0.9999999))] == [reviewed]


def test_what_goes_stands_in_the_ledger(shelf: Shelf) -> None:
    id = shelf.put(days=31)
    (due,) = shelf.expiry().due()
    assert shelf.expiry().remove(due)
    (line,) = shelf.desk.lines()
    assert (line.act, line.stage, line.id, line.note) == ("expire", "done", id, "unreviewed, for 31 days")
    assert shelf.desk.files() == []
    assert not shelf.expiry().remove(due)
    assert len(shelf.desk.lines()) == 1


def test_what_somebody_releases_at_this_moment_stays(shelf: Shelf) -> None:
    shelf.put(days=31)
    (due,) = shelf.expiry().due()
    with shelf.desk.maildir.open(due.file) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not shelf.expiry().remove(due)
    assert len(shelf.desk.files()) == 1


def test_the_mta_waits_while_more_is_held_than_may_be(shelf: Shelf) -> None:
    shelf.put()
    terms = replace(TERMS, max_size=_size(shelf))
    (said,) = shelf.expiry(terms).settle()
    assert "452" in said
    with pytest.raises(QuarantineError) as refused:
        Maildir(shelf.desk.path, floor=0).open(SLIP)
    assert refused.value.full
    assert shelf.expiry(TERMS).settle() == []
    Maildir(shelf.desk.path, floor=0).open(SLIP).abandon()


@pytest.mark.parametrize(
    "plant",
    [
        lambda full, other: full.symlink_to(other),
        lambda full, other: full.hardlink_to(other),
        lambda full, _: os.mkfifo(full),
    ],
    ids=["a symbolic link", "a second name", "a pipe"],
)
@pytest.mark.parametrize("name", ["full", ".full"])
def test_what_is_planted_in_place_of_the_mark_is_replaced(
    shelf: Shelf, plant: Callable[[Path, Path], None], name: str
) -> None:
    other = shelf.desk.path / "other"
    other.write_text("mine")
    shelf.put()
    plant(shelf.desk.path / name, other)
    shelf.expiry(replace(TERMS, max_size=1)).settle()
    mark = shelf.desk.path / "full"
    assert mark.is_file() and not mark.is_symlink() and mark.stat().st_nlink == 1
    assert other.read_text() == "mine"
    shelf.expiry(TERMS).settle()
    assert not mark.exists()


def test_people_hear_of_it_before(shelf: Shelf) -> None:
    for _ in range(4):
        shelf.put()
    assert shelf.expiry(replace(TERMS, max_size=6 * _size(shelf))).settle() == []
    (said,) = shelf.expiry(replace(TERMS, max_size=5 * _size(shelf))).settle()
    assert "room is running out" in said
    Maildir(shelf.desk.path, floor=0).open(SLIP).abandon()


def _size(shelf: Shelf) -> int:
    return max(shelf.desk.maildir.stat(file).st_size for file, _ in shelf.desk.maildir.files())
