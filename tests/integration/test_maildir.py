"""A message is held whole, or the MTA keeps it: on file systems without room, and when the filter is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import turfmilter
from rig.maildir import MESSAGE, SLIP, held, made, message
from turfmilter.core.ports import QuarantineError
from turfmilter.stores.draft import MEMORY
from turfmilter.stores.maildir import Maildir


@contextmanager
def tiny(path: Path, options: str) -> Iterator[Path]:
    """A Maildir on a file system of its own."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
    try:
        yield made(path / "quarantine")
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "quarantine")


@pytest.mark.parametrize(("early", "late"), [(MEMORY + 1, 0), (MEMORY, 0), (70_000, 0), (10_000, MEMORY)])
def test_no_bytes_left_is_want_of_room_and_known_early_if_the_message_is_large(
    tmp_path: Path, early: int, late: int
) -> None:
    with tiny(tmp_path / "disk", "size=64k") as path:
        draft = Maildir(path, floor=0).open(SLIP)
        with pytest.raises(QuarantineError, match="No space left") as refused:
            draft.write(b"x" * early)
            assert early <= MEMORY, "written before the rest arrives"
            draft.write(b"x" * late)
            assert early + late <= MEMORY, "written before the end"
            draft.commit()
        assert refused.value.full
        assert held(path) == held(path, "tmp") == []
        smaller = Maildir(path, floor=0).open(SLIP)
        smaller.write(MESSAGE)
        assert message(path / "new" / smaller.commit()) == MESSAGE


@pytest.mark.parametrize("spare", [0, 1], ids=["for the file", "for its second name"])
def test_no_inodes_left_is_want_of_room(tmp_path: Path, spare: int) -> None:
    with tiny(tmp_path / "disk", f"size=1m,nr_inodes={5 + spare}") as path:
        with pytest.raises(QuarantineError, match="No space left") as refused:
            Maildir(path, floor=0).open(SLIP).commit()
        assert refused.value.full
        assert held(path) == held(path, "tmp") == []


@pytest.mark.parametrize(
    ("options", "filler", "what"), [("size=400k", 380, "bytes"), ("size=1m,nr_inodes=100", 0, "inodes")]
)
def test_below_the_floor_nothing_is_begun(tmp_path: Path, options: str, filler: int, what: str) -> None:
    with tiny(tmp_path / "disk", options) as path:
        maildir = Maildir(path)
        maildir.open(SLIP).abandon()
        if filler:
            (path / "filler").write_bytes(b"x" * filler * 1024 + b"x")
        else:
            for number in range(91):
                (path / f"filler{number}").touch()
        with pytest.raises(QuarantineError, match=f"less than 5% of the {what} is free") as refused:
            maildir.open(SLIP)
        assert refused.value.full
        assert held(path, "tmp") == []


def test_a_file_system_that_counts_no_inodes_has_enough_of_them(tmp_path: Path) -> None:
    with tiny(tmp_path / "disk", "size=1m,nr_inodes=0") as path:
        assert os.statvfs(path).f_files == 0
        draft = Maildir(path).open(SLIP)
        assert message(path / "new" / draft.commit()) == b""


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.ports import Slip
from turfmilter.stores.maildir import Maildir

draft = Maildir(Path(sys.argv[1]), floor=0).open(Slip(Addressed(""), (), *[""] * 6, datetime.now(UTC), "", ""))
draft.write(b"x" * 1_000_000)
print("written", flush=True)
sys.stdin.read()
"""


def test_a_killed_filter_leaves_nothing_that_can_be_seen(path: Path) -> None:
    source = str(Path(turfmilter.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source},
    ) as filter:
        assert filter.stdout is not None
        assert filter.stdout.readline() == b"written\n"
        filter.send_signal(signal.SIGKILL)
    assert held(path) == []
    assert len(held(path, "tmp")) == 1
