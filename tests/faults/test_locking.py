"""Locks where flock needs a descriptor for writing, as on NFS: there it fails with EBADF on one for reading."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.desk import Desk
from rig.hostclock import DAY
from rig.nexthop import ScriptedNextHop
from rig.shelf import Shelf
from rig.tracer import Fault, traced
from turfmilter.review.observation import Dates
from turfmilter.stores.files import locked, rewrite


def on_nfs(act: Callable[[], int], *, at: int = 0) -> int:
    """The exit status of a child that does `act`, in which the call of flock number `at` fails as on NFS."""
    plain = traced(act)
    calls = [call for call in plain.calls if call.name == "flock"]
    return traced(act, Fault(calls[at], errno.EBADF)).status


def test_the_lock_is_that_of_the_file_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_text("x")

    def act() -> int:
        with path.open("rb") as file, path.open("rb") as other:
            with locked(file.fileno()), pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return 0

    assert on_nfs(act) == 0


def test_who_has_it_already_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_text("x")

    def act() -> int:
        with (
            path.open("rb") as file,
            path.open("rb") as other,
            locked(file.fileno(), wait=False),
            pytest.raises(BlockingIOError),
            locked(other.fileno(), wait=False),
        ):
            return 1
        return 0

    assert on_nfs(act, at=0) == 0
    assert on_nfs(act, at=1) == 0


def test_a_message_expires(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "quarantine")
    shelf = Shelf(desk, tmp_path / "state")

    def act() -> int:
        shelf.put("T")
        shelf.clock.run(8 * DAY)
        return 0 if shelf.expiry(watch=Dates()).run() == 1 else 1

    assert on_nfs(act) == 0


def test_a_message_is_released(tmp_path: Path) -> None:
    number = iter(range(10))

    def act() -> int:
        desk = Desk(tmp_path / f"quarantine{next(number)}-{os.getpid()}")
        with ScriptedNextHop() as hop:
            return 0 if desk.release(hop).complete else 1

    assert on_nfs(act) == 0


def test_a_table_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "turf.table"
    path.write_text("@spam.example\n")

    def act() -> int:
        rewrite(path, lambda text: text + "@turf.example\n")
        return 0

    assert on_nfs(act) == 0
    assert path.read_text().count("@turf.example") == 2
