"""Every system call of a hold fails in turn, or is the last one of its process: no message is ever lost or torn."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rig.tracer import Fault, traced
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.held.block import read_block
from turfmilter.core.ports import QuarantineError
from turfmilter.core.report import Slip
from turfmilter.desk import SystemClock
from turfmilter.stores.maildir import Maildir

LINE = b"a line of a message that is held\r\n"
SMALL = b"Subject: hello\r\n\r\n" + LINE * 2_000
LARGE = SMALL + LINE * 18_000  # more than twice what is kept in memory
SLIP = Slip(
    sender=Addressed("anna@out.test"),
    recipients=(Addressed("bob@rig.test"),),
    client="192.0.2.7",
    name="",
    helo="",
    account="",
    listener="",
    queue_id="",
    time=datetime(2026, 11, 22, tzinfo=UTC),
    rule="turf",
    entry="@out.test turf.table:1",
)
TOLD, REFUSED, FULL = 10, 11, 12  # what a worker tells the MTA next: 250, 451 or 452


WANT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT)


def hold(maildir: Path, message: bytes) -> Callable[[], int]:
    """What a worker does with a message."""

    def run() -> int:
        try:
            draft = Maildir(maildir).open(SLIP)
            for start in range(0, len(message), 65535):
                draft.write(message[start : start + 65535])
            draft.commit()
        except QuarantineError as error:
            return FULL if error.full else REFUSED
        return TOLD

    return run


def make(path: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (path / part).mkdir(parents=True)
    return path


def whole(maildir: Path, message: bytes) -> int:
    """How many messages are in new.  Raises AssertionError when one of them is not all there."""
    found = list((maildir / "new").iterdir())
    for path in found:
        with path.open("rb") as file:
            block = read_block(file)
            assert block.sealed
            assert block.intact(file)
            assert path.stat().st_size == block.offset + len(message)
            assert block.id == path.name
    return len(found)


SIZES = pytest.mark.parametrize("message", [SMALL, LARGE], ids=["in memory", "too large for memory"])


@SIZES
def test_every_fault_leaves_the_message_with_the_mta_or_whole_in_new(tmp_path: Path, message: bytes) -> None:
    calls = traced(hold(make(tmp_path / "0"), message)).calls
    assert len(calls) > 10
    for error in (*WANT_OF_ROOM, errno.EIO, errno.EMFILE, errno.EACCES, errno.EROFS, errno.EINTR):
        for at in calls:
            check(tmp_path / f"{error}-{at}", message, Fault(at, error))


@SIZES
def test_every_kill_leaves_the_message_with_the_mta_or_whole_in_new(tmp_path: Path, message: bytes) -> None:
    calls = traced(hold(make(tmp_path / "0"), message)).calls
    for at in calls:
        for after in (False, True):
            check(tmp_path / f"{at}-{after}", message, Fault(at, after=after))


def check(directory: Path, message: bytes, fault: Fault) -> None:
    maildir = make(directory)
    ended = traced(hold(maildir, message), fault).status
    held = whole(maildir, message)
    said = f"{fault}: {held} held, exit {ended}"
    if fault.error:
        assert (ended, held) in ((TOLD, 1), (FULL if fault.error in WANT_OF_ROOM else REFUSED, 0)), said
    else:
        # Killed: the MTA heard nothing and sends it again, so that it may be there twice.
        assert ended == -signal.SIGKILL, said
    Maildir(maildir).check(SystemClock().now())
    for path in (maildir / "tmp").iterdir():
        os.utime(path, (0, 0))
    Maildir(maildir).clean(SystemClock().now())
    assert list((maildir / "tmp").iterdir()) == [], said
    assert whole(maildir, message) == held, said


@pytest.mark.parametrize(
    ("message", "writes"),
    [
        pytest.param(SMALL, 1, id="block and message at once"),
        pytest.param(LARGE, 5, id="a block without digest, twice 256 KiB, the rest, the block again"),
    ],
)
def test_the_message_is_durable_before_it_is_visible_and_its_name_before_the_mta_is_told(
    tmp_path: Path, message: bytes, writes: int
) -> None:
    assert made(tmp_path, message) == [*["write"] * writes, "fsync", "link", "fsync"]


def made(place: Path, message: bytes) -> list[str]:
    """The calls that write, position, flush and link, by the names that are the same on every kernel."""
    names = [at.name for at in traced(hold(make(place / "0"), message)).calls]
    names = [re.sub("^p?writev?(64|2)?$", "write", name).removesuffix("at") for name in names]
    return [name for name in names if name in ("write", "lseek", "fsync", "link")]
