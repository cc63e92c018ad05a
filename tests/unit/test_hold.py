"""A message on its way into quarantine: it is taken whole or not at all."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from rig.desk import SLIP
from rig.filter import make_quarantine, read_held
from turfmilter.core.ports import QuarantineError
from turfmilter.mta.hold import END_OF_HEADER, Hold
from turfmilter.stores.draft import MEMORY
from turfmilter.stores.maildir import Maildir

HEADER, BODY = b"Subject: test\r\n", b"Hello.\r\n"


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    return make_quarantine(tmp_path / "quarantine")


def begun(quarantine: Path) -> Hold:
    """A message of which all has been written that there is."""
    hold = Hold(Maildir(quarantine), SLIP, HEADER + END_OF_HEADER)
    hold.write(BODY)
    return hold


def test_a_message_is_held_when_all_was_written_that_was_shown(quarantine: Path, executor: Executor) -> None:
    id = begun(quarantine).commit(len(HEADER + BODY), executor, lambda: None)
    assert read_held(quarantine / "new" / id).message == HEADER + END_OF_HEADER + BODY


@pytest.mark.parametrize("missing", [1, 2, len(BODY), 1 << 40, -1])
def test_a_message_of_which_a_part_is_missing_is_not_held(quarantine: Path, executor: Executor, missing: int) -> None:
    hold = begun(quarantine)
    with pytest.raises(QuarantineError, match=r"^25 bytes were written of") as caught:
        hold.commit(len(HEADER + BODY) + missing, executor, lambda: None)
    assert not caught.value.full
    assert [file for part in ("tmp", "new", "cur") for file in (quarantine / part).iterdir()] == []


def test_want_of_room_while_it_is_written_is_remembered_until_the_end(quarantine: Path, executor: Executor) -> None:
    hold = begun(quarantine)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        assert not hold.failed
        hold.write(b"x" * MEMORY)
        assert hold.failed, "known before the end: the rest need not cross the socket"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    hold.write(b"there would be room for this")
    with pytest.raises(QuarantineError, match="File too large") as caught:
        hold.commit(len(HEADER + BODY) + MEMORY, executor, lambda: None)
    assert caught.value.full
    assert [file for part in ("tmp", "new", "cur") for file in (quarantine / part).iterdir()] == []
