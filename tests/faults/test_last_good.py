"""Every system call of keeping a copy fails in turn, or is its process's last: there is the old copy or the new one."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from pathlib import Path

from rig.tracer import Fault, Traced, traced
from turfmilter.stores.lastgood import NAME, SIZES, Copy, LastGood

PATH = Path("/etc/turfmilter/turfmilter.toml")
OLD = Copy(datetime(2026, 11, 29, tzinfo=UTC), {str(PATH): "old"})
NEW = Copy(datetime(2026, 11, 30, tzinfo=UTC), {str(PATH): "new" * 100_000})  # longer than any buffer
KEPT, NOT_KEPT = 10, 11


def keep(directory: Path, fault: Fault | None = None) -> Traced:
    def run() -> int:
        try:
            LastGood(directory).keep(PATH, NEW)
        except OSError:
            return NOT_KEPT
        return KEPT

    return traced(run, fault)


def make(directory: Path) -> Path:
    directory.mkdir()
    LastGood(directory).keep(PATH, OLD)
    return directory


def test_no_kill_loses_the_copy(tmp_path: Path) -> None:
    calls = keep(make(tmp_path / "whole")).calls
    assert len(calls) > 5
    for at in calls:
        for after in (False, True):
            directory = make(tmp_path / f"{at}-{after}")
            keep(directory, Fault(at, after=after))
            assert LastGood(directory).read(PATH) in (OLD, NEW), Fault(at, after=after)


def test_no_error_loses_the_copy_or_is_taken_for_success(tmp_path: Path) -> None:
    calls = keep(make(tmp_path / "whole")).calls
    for error in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EINTR):
        for at in calls:
            directory = make(tmp_path / f"{error}-{at}")
            ended = keep(directory, Fault(at, error)).status
            there = LastGood(directory).read(PATH)
            assert (ended, there) in ((KEPT, NEW), (NOT_KEPT, OLD), (NOT_KEPT, NEW)), Fault(at, error)


def test_what_a_kill_leaves_goes_with_the_next_copy(tmp_path: Path) -> None:
    calls = keep(make(tmp_path / "whole")).calls
    directory = make(tmp_path / "killed")
    for at in calls:
        keep(directory, Fault(at, after=True))
    LastGood(directory).keep(PATH, NEW)
    assert {path.name for path in directory.iterdir()} == {NAME, SIZES}
