"""How often a quarantine that is opened for review reads its directories."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rig.child import in_child
from rig.filter import make_quarantine
from rig.quarantine import hold
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
