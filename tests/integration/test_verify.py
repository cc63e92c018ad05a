"""Files, flags and ledger against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig.desk import Desk
from rig.golden import Golden
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


def changed_message(desk: Desk) -> None:
    path(desk).write_bytes(path(desk).read_bytes() + b"more")


def changed_block(desk: Desk) -> None:
    path(desk).write_bytes(path(desk).read_bytes().replace(b"carol@rig", b"mallo@rig"))


def marked_by_hand(desk: Desk) -> None:
    desk.maildir.change(desk.file, add="P")


def mark_taken_off(desk: Desk) -> None:
    released(desk)
    desk.maildir.change(desk.maildir.again(desk.file), remove="P")


def put_back(desk: Desk) -> None:
    desk.recorder.note("expire", "done", desk.file.id)


def removed_by_hand(desk: Desk) -> None:
    released(desk)
    path(desk).unlink()


def a_line_of_somebody_else(desk: Desk) -> None:
    recipients = ("bob@rig.test", "carol@rig.test", "mallory@x.test")
    desk.recorder.note("release", "outcome", desk.file.id, attempt="1", recipients=recipients, replies=["250 ok"] * 3)
    desk.maildir.change(desk.file, add="P")


@pytest.mark.parametrize(
    "happened",
    [
        changed_message,
        changed_block,
        unanswered,
        marked_by_hand,
        mark_taken_off,
        put_back,
        removed_by_hand,
        a_line_of_somebody_else,
    ],
)
def test_what_others_did_is_named(desk: Desk, happened: Callable[[Desk], None], golden: Golden) -> None:
    happened(desk)
    [(id, said)] = wrong(desk)
    assert id == desk.file.id
    golden("verify", said)


def test_a_damaged_line_and_a_strange_file_are_named(desk: Desk, golden: Golden) -> None:
    (desk.path / "ledger").write_bytes(b"not a line\n")
    (desk.path / "new" / "link").symlink_to(path(desk))
    (desk.path / "new" / "mail").write_bytes(b"Subject: x\r\n\r\n")
    golden("verify", "\n".join(f"{about}: {said}" for about, said in sorted(wrong(desk))))
