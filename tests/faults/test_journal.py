"""Every system call of the journal fails in turn, or is its process's last: only whole lines are read afterwards."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.tracer import Fault, Point, Traced, traced
from turfmilter.core.journal.line import encode
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.session import Connection
from turfmilter.stores.journal import JournalDirectory, maintain
from turfmilter.stores.journalfile import JournalFile

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
EARLIER, ACROSS, LATER = [1, 2], [3, 4, 5, 6], [7, 8]  # ids; the fifth and later ones end after midnight
DONE, FAILED = 10, 11


def lines(ids: list[int]) -> list[bytes]:
    return [
        encode(Transaction(MIDNIGHT + timedelta(seconds=id - 5), "a-1", Connection(), queue_id=str(id), sender="<>"))
        for id in ids
    ]


def append(directory: Path, process: str, *batches: list[int]) -> int:
    """Let a process write batches, as a worker does, which drops one that cannot be written; the exit status."""
    file, status = JournalFile(directory, process, 0.0), DONE
    for batch in batches:
        try:
            file.append(lines(batch))
        except OSError:
            status = FAILED
    file.close()
    return status


def make(directory: Path) -> Path:
    directory.mkdir()
    append(directory, "earlier", EARLIER)
    return directory


def read(directory: Path) -> list[int]:
    """The ids of all lines; a line that is damaged fails the test, because no call writes half of one."""
    journal = JournalDirectory(directory)
    found = [int(one.queue_id) for one in journal.oldest(None, lambda _: True)]
    assert not journal.skipped
    return found


def writing(directory: Path, fault: Fault | None = None) -> Traced:
    return traced(lambda: append(directory, "worker", ACROSS[:1], ACROSS[1:], LATER), fault)


def upkeep(directory: Path, fault: Fault | None = None) -> Traced:
    def run() -> int:
        try:
            maintain(directory, MIDNIGHT, timedelta(days=30), 0)
        except OSError:
            return FAILED
        return DONE

    return traced(run, fault)


def faults(calls: list[Point]) -> Iterator[Fault]:
    yield from (Fault(at, after=after) for at in calls for after in (False, True))
    yield from (Fault(at, error) for at in calls for error in (errno.ENOSPC, errno.EIO))


def test_no_fault_while_lines_are_written_across_midnight_damages_one(tmp_path: Path) -> None:
    calls = writing(make(tmp_path / "whole")).calls
    assert len(calls) > 10
    for fault in faults(calls):
        directory = make(tmp_path / str(fault))
        status = writing(directory, fault).status
        found = read(directory)
        assert found == sorted(set(found)), fault
        assert found[:2] == EARLIER, fault
        if status == DONE:
            assert found == [*EARLIER, *ACROSS, *LATER], fault
        append(directory, "next", [9])
        assert read(directory) == [*found, 9], fault


@pytest.mark.parametrize("process", [writing, upkeep])
def test_what_a_fault_leaves_is_compressed_by_the_next_upkeep(tmp_path: Path, process: Callable[..., Traced]) -> None:
    for fault in faults(process(make(tmp_path / "whole")).calls):
        directory = make(tmp_path / str(fault))
        process(directory, fault)
        before = read(directory)
        maintain(directory, MIDNIGHT, timedelta(days=30), 0)
        assert read(directory) == before, fault
        assert before[:2] == EARLIER, fault
        assert not [path for path in directory.iterdir() if path.name.endswith(".jsonl") and path.name[0] != "."], fault
