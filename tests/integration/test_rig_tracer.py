"""System calls that fail, or are the last ones of their process."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.tracer import Fault, Point, traced

FIRST, SECOND = b"one\n", b"two\n"


def writes(path: Path) -> Callable[[], int]:
    """Write twice; the exit status is the number of the error, if there is one."""

    def run() -> int:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(file, FIRST)
            os.getpid()  # is not counted
            os.write(file, SECOND)
        except OSError as error:
            return error.errno or -1
        return 0

    return run


@pytest.fixture
def second(tmp_path: Path) -> Point:
    """The second write."""
    found = traced(writes(tmp_path / "file"))
    assert (found.status, [at.name for at in found.calls]) == (0, ["openat", "write", "write"])
    assert list(map(str, found.calls)) == ["openat1", "write1", "write2"]
    return found.calls[2]


def test_a_call_fails(tmp_path: Path, second: Point) -> None:
    assert traced(writes(tmp_path / "file"), Fault(second, errno.ENOSPC)).status == errno.ENOSPC
    assert (tmp_path / "file").read_bytes() == FIRST


@pytest.mark.parametrize(("after", "written"), [(False, FIRST), (True, FIRST + SECOND)])
def test_a_call_is_the_last_one(tmp_path: Path, second: Point, after: bool, written: bytes) -> None:
    assert traced(writes(tmp_path / "file"), Fault(second, after=after)).status == -signal.SIGKILL
    assert (tmp_path / "file").read_bytes() == written


@pytest.mark.parametrize("fault", [Fault, lambda at: Fault(at, errno.EIO)], ids=["killed", "failed"])
def test_a_fault_that_does_not_occur_is_not_taken_for_one(second: Point, fault: Callable[[Point], Fault]) -> None:
    with pytest.raises(AssertionError, match="did not occur"):
        traced(lambda: 0, fault(second))


def test_an_act_that_raises_ends_with_1(capfd: pytest.CaptureFixture[str]) -> None:
    assert traced(lambda: 1 // 0).status == 1
    assert "ZeroDivisionError" in capfd.readouterr().err
