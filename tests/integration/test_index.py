"""The index of a quarantine where its user may not read or write everything, and with others at work at once."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from rig.child import forked, in_child, status
from rig.filter import make_quarantine
from rig.quarantine import TIME, hold, slip
from turfmilter.core.held.selection import Selection
from turfmilter.stores.index import Index
from turfmilter.stores.maildir import Maildir
from turfmilter.stores.opened import OpenMaildir


@pytest.fixture
def quarantine(place: Path) -> Path:
    return make_quarantine(place / "quarantine")


def ids(maildir: OpenMaildir) -> list[str]:
    with Index(maildir, lambda files: files) as index:
        return [held.file.id for held in index.newest(Selection(), 0)]


def doubts(maildir: OpenMaildir) -> list[str]:
    with Index(maildir, lambda files: files) as index:
        return [held.summary.doubt for held in index.newest(Selection(), 0)]


MESSAGE = b"Subject: hello\r\n\r\n" + b"x" * 2000


def test_a_file_that_cannot_be_read_is_listed_all_the_same(quarantine: Path) -> None:
    (quarantine / "new" / hold(quarantine)).chmod(0)
    (quarantine / "new" / "linked").symlink_to("/etc/passwd")

    def check() -> None:
        with OpenMaildir(quarantine) as maildir:
            assert sorted(doubts(maildir)) == [
                "a symbolic link, not a message",
                "it cannot be read: Permission denied",
            ]

    in_child(check, user="nobody")


def test_where_no_index_can_be_kept_it_works_without(quarantine: Path) -> None:
    id = hold(quarantine)
    quarantine.chmod(0o550)

    def check() -> None:
        with OpenMaildir(quarantine) as maildir:
            assert ids(maildir) == [id]

    in_child(check, user="nobody")
    assert not (quarantine / ".index").exists()


def test_who_holds_who_marks_and_who_lists_do_not_disturb_each_other(quarantine: Path) -> None:
    """Six processes; afterwards every message is there once, and is believed."""

    def holding() -> None:
        for number in range(50):
            draft = Maildir(quarantine, floor=0).open(slip(time=TIME + timedelta(seconds=number)))
            draft.write(MESSAGE)
            draft.commit()

    def marking() -> None:
        with OpenMaildir(quarantine) as maildir:
            for _ in range(20):
                for file, _ in list(maildir.files()):
                    maildir.change(file, add="S")

    def listing() -> None:
        with OpenMaildir(quarantine) as maildir:
            for _ in range(20):
                found = ids(maildir)
                assert len(found) == len(set(found))

    with ExitStack() as children:
        pids = [children.enter_context(forked(run)) for run in (holding, holding, holding, marking, listing, listing)]
        assert [status(pid) for pid in pids] == [0] * len(pids)
    with OpenMaildir(quarantine) as maildir:
        assert len(ids(maildir)) == 150
        assert doubts(maildir) == [""] * 150
