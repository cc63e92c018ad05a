"""The tiny file system."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from rig.filesystem import tmpfs


def test_a_tiny_file_system_runs_out_of_space(place: Path) -> None:
    with tmpfs(place, size="64k") as small:
        with pytest.raises(OSError) as full:
            (small / "file").write_bytes(b"x" * 100_000)
        assert full.value.errno == errno.ENOSPC


def test_a_tiny_file_system_runs_out_of_inodes(place: Path) -> None:
    with tmpfs(place, inodes=3) as small:
        (small / "1").touch()
        (small / "2").touch()
        with pytest.raises(OSError) as full:
            (small / "3").touch()
        assert full.value.errno == errno.ENOSPC


def test_it_is_unmounted_whatever_happens(place: Path) -> None:
    with pytest.raises(KeyError), tmpfs(place) as small, (small / "open").open("w"):
        raise KeyError
    assert not place.is_mount()
    assert list(place.iterdir()) == []
