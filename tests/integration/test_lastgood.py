"""The copy of the last good generation, in a directory where the filter's user cannot write."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rig.child import in_child
from turfmilter.stores.lastgood import NAME, Copy, LastGood

PATH = Path("/etc/turfmilter/turfmilter.toml")
COPY = Copy(datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC), {str(PATH): "domains = []\n", "/etc/turfmilter/a": "a\n"})


def test_a_directory_that_cannot_be_written_leaves_the_last_one(place: Path) -> None:
    assert os.geteuid() == 0, "only root can become somebody else: run this test as root"
    LastGood(place).keep(PATH, COPY)
    (place / NAME).chmod(0o644)
    place.chmod(0o555)

    def check() -> None:
        with pytest.raises(PermissionError):
            LastGood(place).keep(PATH, Copy(COPY.since, {}))

    in_child(check, user="nobody")
    assert LastGood(place).read(PATH) == COPY
