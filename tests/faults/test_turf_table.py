"""Every system call of an edit fails in turn, or is its process's last: the table is the old one or the new one."""

from __future__ import annotations

import errno
from datetime import date
from pathlib import Path

from rig.tracer import Fault, Traced, traced
from turfmilter.review.turftable import NotEdited, TurfTable
from turfmilter.stores.files import rewrite

OLD = "# ours\n@spam.example\n"
NEW = OLD + "@junk.example by=ada # 2026-11-22\n"
EDITED, NOT_EDITED = 10, 11


def edit(table: TurfTable, fault: Fault | None = None) -> Traced:
    def run() -> int:
        try:
            table.add("@junk.example", date(2026, 11, 22))
        except NotEdited:
            return NOT_EDITED
        return EDITED

    return traced(run, fault)


def make(directory: Path) -> TurfTable:
    directory.mkdir()
    path = directory / "turf.table"
    path.write_text(OLD)
    return TurfTable(path, "ada", rewrite)


def test_no_kill_tears_the_table(tmp_path: Path) -> None:
    calls = edit(make(tmp_path / "whole")).calls
    for at in calls:
        for after in (False, True):
            table = make(tmp_path / f"{at}-{after}")
            edit(table, Fault(at, after=after))
            assert table.path.read_text() in (OLD, NEW)


def test_no_error_tears_the_table_or_is_taken_for_success(tmp_path: Path) -> None:
    calls = edit(make(tmp_path / "whole")).calls
    for error in (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EINTR):
        for at in calls:
            table = make(tmp_path / f"{error}-{at}")
            ended = edit(table, Fault(at, error)).status
            text = table.path.read_text()
            assert (ended, text) in ((EDITED, NEW), (NOT_EDITED, OLD), (NOT_EDITED, NEW)), Fault(at, error)
            assert list(table.path.parent.glob(".turf*")) == [] or text == OLD
