"""Every system call of a hold fails in turn, or is the last one of its process: no message is ever lost or torn."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rig.tracer import Fault, traced
from turfmilter.compose import SystemClock
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.held.block import read_block
from turfmilter.core.ports import QuarantineError
from turfmilter.core.report import Slip
from turfmilter.stores.maildir import Maildir

MESSAGE = b"Subject: hello\r\n\r\n" + b"a line of a message that is held\r\n" * 20_000  # longer than any buffer
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
TOLD, REFUSED = 10, 11  # what a worker tells the MTA next: 250, or 4xx


def hold(maildir: Path) -> Callable[[], int]:
    """What a worker does with a message."""

    def run() -> int:
        try:
            draft = Maildir(maildir).open(SLIP)
            for start in range(0, len(MESSAGE), 65536):
                draft.write(MESSAGE[start : start + 65536])
            draft.commit()
        except QuarantineError:
            return REFUSED
        return TOLD

    return run


def make(path: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (path / part).mkdir(parents=True)
    return path


def whole(maildir: Path) -> int:
    """How many messages are in new.  Raises AssertionError when one of them is not all there."""
    found = list((maildir / "new").iterdir())
    for path in found:
        with path.open("rb") as file:
            block = read_block(file)
            assert block.sealed
            assert block.intact(file)
            assert path.stat().st_size == block.offset + len(MESSAGE)
            assert block.id == path.name
    return len(found)


def test_every_fault_leaves_the_message_with_the_mta_or_whole_in_new(tmp_path: Path) -> None:
    calls = traced(hold(make(tmp_path / "0"))).calls
    assert len(calls) > 15
    errors = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE, errno.EACCES, errno.EINTR)
    for error in errors:
        for at in calls:
            check(tmp_path / f"{error}-{at}", Fault(at, error))


def test_every_kill_leaves_the_message_with_the_mta_or_whole_in_new(tmp_path: Path) -> None:
    calls = traced(hold(make(tmp_path / "0"))).calls
    for at in calls:
        for after in (False, True):
            check(tmp_path / f"{at}-{after}", Fault(at, after=after))


def check(directory: Path, fault: Fault) -> None:
    maildir = make(directory)
    ended = traced(hold(maildir), fault).status
    held = whole(maildir)
    said = f"{fault}: {held} held, exit {ended}"
    if fault.error:
        assert (ended, held) in ((TOLD, 1), (REFUSED, 0)), said
    else:
        # Killed: the MTA heard nothing and sends it again, so that it may be there twice.
        assert ended == -signal.SIGKILL, said
    Maildir(maildir).check(SystemClock().now())
    for path in (maildir / "tmp").iterdir():
        os.utime(path, (0, 0))
    Maildir(maildir).clean(SystemClock().now())
    assert list((maildir / "tmp").iterdir()) == [], said
    assert whole(maildir) == held, said


def test_the_message_is_durable_before_it_is_visible_and_its_name_before_the_mta_is_told(tmp_path: Path) -> None:
    names = [at.name.removesuffix("at") for at in traced(hold(make(tmp_path / "0"))).calls]  # linkat is link, elsewhere
    names = [name for name in names if name in ("fsync", "link", "write")]
    assert names[names.index("fsync") :] == ["fsync", "link", "fsync"]
