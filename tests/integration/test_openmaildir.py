"""A quarantine opened for review: what only root can plant there, and how often its directories are read."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from rig.child import in_child
from rig.filter import make_quarantine
from rig.quarantine import hold
from turfmilter.core.held.message import NotAMessage
from turfmilter.stores.opened import HeldFile, OpenMaildir


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    return make_quarantine(tmp_path / "quarantine")


def test_many_copies_cost_one_reading_of_the_directories(quarantine: Path) -> None:
    ids = [hold(quarantine) for _ in range(50)]
    for id in ids:
        (quarantine / "cur" / f"{id}-copy:2,S").hardlink_to(quarantine / "new" / id)

    def check() -> None:
        read: list[str] = []
        sys.addaudithook(lambda event, _: read.append(event) if event == "os.scandir" else None)
        with OpenMaildir(quarantine) as opened:
            for id in ids:
                opened.open(HeldFile(id, "new")).close()
        assert len(read) == 4, read  # tmp, new, cur and the quarantine itself

    in_child(check)


def test_a_planted_device_is_not_opened(quarantine: Path) -> None:
    os.mknod(quarantine / "new" / "planted", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    with OpenMaildir(quarantine) as opened, pytest.raises(NotAMessage, match=r"^a device or a socket, not a message"):
        opened.open(HeldFile("planted", "new"))
