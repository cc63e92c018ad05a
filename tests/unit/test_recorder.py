"""Who writes the ledger: what is intended, and what came of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig.desk import Desk
from turfmilter.core.held.ledger import LedgerError
from turfmilter.review.marks import mark_reviewed
from turfmilter.review.verify import verify


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "quarantine")
    with desk.maildir:
        yield desk


def said(desk: Desk) -> list[tuple[str, str, str]]:
    return [(line.act, line.stage, line.note) for line in desk.lines()]


def test_an_act_has_an_intent_before_it_and_an_outcome_after_it(desk: Desk) -> None:
    with desk.recorder.acting("delete", "1m4x8q-7kz0ha", "why"):
        assert said(desk) == [("delete", "intent", "why")]
    assert said(desk) == [("delete", "intent", "why"), ("delete", "outcome", "done")]
    intent, outcome = desk.lines()
    assert intent.attempt == outcome.attempt != ""
    assert [line.partition(" by ")[0] for line in desk.syslog.lines] == [
        "info: delete 1m4x8q-7kz0ha (intent)",
        "info: delete 1m4x8q-7kz0ha (outcome)",
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "Read-only file system"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "the message is gone"),
        (FileExistsError("cur/x exists as well"), "cur/x exists as well"),
        (ValueError("odd"), "odd"),
    ],
)
def test_what_could_not_be_done_is_not_said_to_be(desk: Desk, error: Exception, reason: str) -> None:
    with pytest.raises(type(error)), desk.recorder.acting("delete", desk.file.id):
        raise error
    assert said(desk) == [("delete", "intent", ""), ("delete", "outcome", f"not done: {reason}")]


def test_of_an_act_that_was_broken_off_nothing_is_said(desk: Desk) -> None:
    with pytest.raises(KeyboardInterrupt), desk.recorder.acting("delete", desk.file.id):
        raise KeyboardInterrupt
    assert said(desk) == [("delete", "intent", "")]


def test_nothing_is_done_that_cannot_be_written_down_before(desk: Desk) -> None:
    (desk.path / "ledger").mkdir()
    with pytest.raises(LedgerError):
        mark_reviewed(desk.place(), desk.recorder)
    assert desk.files() == [f"new/{desk.file.name}"]


def test_what_was_done_and_could_not_be_written_down_after_is_told(desk: Desk) -> None:
    with pytest.raises(LedgerError, match="delete: done, but the ledger"), desk.recorder.acting("delete", "x"):
        (desk.path / "ledger").unlink()
        (desk.path / "ledger").mkdir()


def test_a_review_that_fails_is_no_review(desk: Desk) -> None:
    (desk.path / "cur" / f"{desk.file.name}:2,S").write_text("in the way")
    with pytest.raises(FileExistsError):
        mark_reviewed(desk.place(), desk.recorder)
    (_, outcome) = said(desk)
    assert outcome[:2] == ("review", "outcome")
    assert outcome[2].startswith("not done: cur/")


def _done(desk: Desk) -> None:
    with desk.recorder.acting("expire", desk.file.id):
        pass


def _not_done(desk: Desk) -> None:
    with pytest.raises(OSError), desk.recorder.acting("expire", desk.file.id):
        raise OSError(errno.EROFS, "Read-only file system")


def _broken_off(desk: Desk) -> None:
    desk.recorder.note("expire", "intent", desk.file.id, attempt="a1")


def _as_earlier_versions_had_it(desk: Desk) -> None:
    desk.recorder.note("expire", "done", desk.file.id, note="unreviewed, for 31 days")


GONE = "it is gone, and the ledger has no line about its expiry"
THERE = "the ledger says that it expired, but it is there"


@pytest.mark.parametrize(
    ("happened", "if_gone", "if_there"),
    [
        ([_done], [], [THERE]),
        ([_not_done], [GONE], []),
        ([_broken_off], [], []),
        ([_as_earlier_versions_had_it], [], [THERE]),
        ([_not_done, _done], [], [THERE]),
        ([_not_done, _not_done], [GONE], []),
        ([_broken_off, _not_done], [], []),
    ],
)
def test_verify_knows_what_an_expiry_came_to(
    desk: Desk, happened: list[Callable[[Desk], None]], if_gone: list[str], if_there: list[str]
) -> None:
    for one in happened:
        one(desk)
    assert [wrong for _, wrong in verify(desk.held, lambda files: files)] == if_there
    desk.maildir.remove(desk.file)
    assert [wrong for _, wrong in verify(desk.held, lambda files: files)] == if_gone
