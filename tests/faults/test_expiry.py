"""Retention where the disk does not let a file go."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.desk import Desk
from rig.hostclock import DAY
from rig.shelf import Shelf


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
