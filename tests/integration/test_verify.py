"""Files, flags and ledger against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig.desk import Desk
from rig.nexthop import CLOSE, ScriptedNextHop
from turfmilter.review.release import Uncertain
from turfmilter.review.verify import verify


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "quarantine")
    with desk.maildir:
        yield desk


def wrong(desk: Desk) -> list[tuple[str, str]]:
    return list(verify(desk.held, lambda files: files))


def path(desk: Desk) -> Path:
    file = desk.maildir.again(desk.file)
    return desk.path / file.part / file.name


def released(desk: Desk) -> None:
    with ScriptedNextHop() as hop:
        desk.release(hop)


def partly(desk: Desk) -> None:
    with ScriptedNextHop({"RCPT TO:<carol@": "550 no"}) as hop:
        desk.release(hop)


def unanswered(desk: Desk) -> None:
    with ScriptedNextHop({".": CLOSE}) as hop, pytest.raises(Uncertain):
        desk.release(hop)


def nothing(_desk: Desk) -> None:
    """It was only held."""


@pytest.mark.parametrize("happened", [nothing, released, partly])
def test_what_our_own_programs_do_agrees(desk: Desk, happened: Callable[[Desk], None]) -> None:
    happened(desk)
    assert wrong(desk) == []


def changed_message(desk: Desk) -> str:
    path(desk).write_bytes(path(desk).read_bytes() + b"more")
    return "the message was changed: its digest does not hold"


def changed_block(desk: Desk) -> str:
    path(desk).write_bytes(path(desk).read_bytes().replace(b"carol@rig", b"mallo@rig"))
    return "its block was changed: the seal does not hold"


def no_answer(desk: Desk) -> str:
    unanswered(desk)
    return "unknown: a release to bob@rig.test, carol@rig.test ended without an answer; see the MTA's log"


def marked_by_hand(desk: Desk) -> str:
    desk.maildir.change(desk.file, add="P")
    return "it is marked released, but the ledger knows of no release to all"


def mark_taken_off(desk: Desk) -> str:
    released(desk)
    desk.maildir.change(desk.maildir.again(desk.file), remove="P")
    return "the ledger says that it was released to all, but it is not marked released"


def put_back(desk: Desk) -> str:
    desk.recorder.note("expire", "done", desk.file.id)
    return "the ledger says that it expired, but it is there"


def removed_by_hand(desk: Desk) -> str:
    released(desk)
    path(desk).unlink()
    return "it is gone, and the ledger has no line about its expiry"


def a_line_of_somebody_else(desk: Desk) -> str:
    recipients = ("bob@rig.test", "carol@rig.test", "mallory@x.test")
    desk.recorder.note("release", "outcome", desk.file.id, attempt="1", recipients=recipients, replies=["250 ok"] * 3)
    desk.maildir.change(desk.file, add="P")
    return "the ledger says that it was released to mallory@x.test, which is not one of its recipients"


@pytest.mark.parametrize(
    "happened",
    [
        changed_message,
        changed_block,
        no_answer,
        marked_by_hand,
        mark_taken_off,
        put_back,
        removed_by_hand,
        a_line_of_somebody_else,
    ],
)
def test_what_others_did_is_named(desk: Desk, happened: Callable[[Desk], str]) -> None:
    said = happened(desk)
    assert wrong(desk) == [(desk.file.id, said)]


def test_a_damaged_line_and_a_strange_file_are_named(desk: Desk) -> None:
    (desk.path / "ledger").write_bytes(b"not a line\n")
    (desk.path / "new" / "link").symlink_to(path(desk))
    (desk.path / "new" / "mail").write_bytes(b"Subject: x\r\n\r\n")
    assert dict(wrong(desk)) == {
        "ledger": "line 1 is damaged",
        "link": "a symbolic link, not a message",
        "mail": "put in by hand: it has no block of ours",
    }
