"""Retention on a disk that does not let a file go, or has hardly any room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rig.desk import Desk
from rig.filesystem import tmpfs
from rig.hostclock import DAY
from rig.shelf import TERMS, Shelf
from turfmilter.core.ports import QuarantineError
from turfmilter.stores.maildir import Maildir


@contextmanager
def immovable(path: Path) -> Iterator[None]:
    """Nobody can remove the file meanwhile, root neither: something is mounted on it, which is the file itself."""
    subprocess.run(["mount", "--bind", path, path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_what_the_disk_does_not_let_go_is_named_and_the_rest_goes(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "quarantine")
    shelf = Shelf(desk, tmp_path / "state")
    stuck, _ = shelf.put("T"), shelf.put("T")
    path = shelf.desk.path / "cur" / f"{stuck}:2,T"
    with desk.maildir, immovable(path):
        shelf.after(8 * DAY)
        expiry = shelf.expiry()
        assert expiry.run() == 1
        assert f"{stuck} cannot be removed: Device or resource busy" in " ".join(expiry.settle())
        assert shelf.ids() == {stuck}
        lines = shelf.desk.lines()
    assert [(line.id, line.stage, line.note) for line in lines if line.id == stuck] == [
        (stuck, "intent", "deleted, for 8 days"),
        (stuck, "outcome", "not done: Device or resource busy"),
    ]


def test_of_many_that_stay_for_one_reason_the_first_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "quarantine")
    shelf = Shelf(desk, tmp_path / "state")
    with desk.maildir, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(immovable(desk.path / "cur" / f"{shelf.put('T')}:2,T"))
        shelf.after(8 * DAY)
        expiry = shelf.expiry()
        assert expiry.run() == 0
        assert len([said for said in expiry.settle() if "cannot be removed" in said]) == 1


def test_a_disk_is_given_room_exactly_where_the_mta_waits_for_it(tmp_path: Path) -> None:
    """A floor that is a part of a block or of an inode above what is free, on a disk that is nobody else's."""
    (tmp_path / "disk").mkdir()
    with tmpfs(tmp_path / "disk", inodes=1000):
        desk = Desk(tmp_path / "disk" / "quarantine")
        shelf = Shelf(desk, tmp_path / "state")
        with desk.maildir:
            reviewed = shelf.put("S")
            disk = os.statvfs(desk.path)
            for free, total in ((disk.f_bavail, disk.f_blocks), (disk.f_favail, disk.f_files)):
                floor = (free + 0.4) / total
                with pytest.raises(QuarantineError):
                    Maildir(desk.path, floor=floor).require_room()
                assert [id for id, _ in shelf.due(replace(TERMS, floor=floor))] == [reviewed]
            enough = min(disk.f_bavail / disk.f_blocks, disk.f_favail / disk.f_files)
            Maildir(desk.path, floor=enough).require_room()
            assert shelf.due(replace(TERMS, floor=enough)) == []
