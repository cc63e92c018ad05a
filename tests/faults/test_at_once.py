"""Many hands in one quarantine: eight hold, two list, one releases, one expires, and the counts add up exactly."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rig.child import forked, status
from rig.desk import Desk
from rig.nexthop import ScriptedNextHop
from turfmilter.config.quarantine import QuarantineConfig
from turfmilter.review.expiry import Expiry
from turfmilter.review.quarantines import Quarantines
from turfmilter.review.release import NotReleased
from turfmilter.review.verify import verify
from turfmilter.stores.heldfile import State
from turfmilter.stores.openmaildir import OpenMaildir
from turfmilter.stores.selection import Selection

HOLDERS, MESSAGES = 8, 50
TERMS = replace(QuarantineConfig(), floor=0.0, keep_reviewed=timedelta(0))


def test_many_hands_lose_and_invent_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "quarantine")
    ids = tmp_path / "ids"
    with desk.maildir, ScriptedNextHop() as hop, ExitStack() as running:
        others = [list_all, list_all, lambda desk: release_all(desk, hop), expire_all]
        helpers = [running.enter_context(forked(until_told(other, desk))) for other in others]
        holders = [running.enter_context(forked(hold(desk, ids))) for _ in range(HOLDERS)]
        assert [status(pid) for pid in holders] == [0] * HOLDERS
        for pid in helpers:
            os.kill(pid, signal.SIGTERM)
        assert [status(pid) for pid in helpers] == [0] * len(helpers)

        held = set(ids.read_text().split()) | {desk.file.id}
        left = {file.id for file, _ in desk.maildir.files()}
        expired = Counter(line.id for line in desk.lines() if line.act == "expire")
        released = Counter(line.id for line in desk.lines() if line.stage == "outcome")
        assert len(held) == HOLDERS * MESSAGES + 1
        assert left | set(expired) == held
        assert not left & set(expired)
        assert max(expired.values(), default=1) == max(released.values(), default=1) == 1
        assert len(hop.messages) == len(released)
        assert set(expired) <= set(released), "what nobody has reviewed does not expire"
        assert list(verify(desk.maildir, desk.ledger, lambda files: files)) == []
        assert list((desk.path / "tmp").iterdir()) == []


def hold(desk: Desk, ids: Path) -> Callable[[], None]:
    def run() -> None:
        for _ in range(MESSAGES):
            with ids.open("a") as told:
                told.write(f"{desk.hold().id}\n")

    return run


def until_told(act: Callable[[Desk], None], desk: Desk) -> Callable[[], None]:
    """Again and again, each time with descriptors of its own as another process has them, until SIGTERM."""

    def run() -> None:
        told: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
        while True:
            last = bool(told)
            act(desk)
            if last:
                return

    return run


def list_all(desk: Desk) -> None:
    with OpenMaildir(desk.path) as maildir, Quarantines([maildir], lambda files: files) as quarantines:
        found = quarantines.newest(Selection(states=frozenset(State)))
        assert len({held.place.file.id for held in found}) <= HOLDERS * MESSAGES + 1
        assert not any(held.summary.doubt for held in found)


def release_all(desk: Desk, hop: ScriptedNextHop) -> None:
    for file, _ in list(desk.maildir.files()):
        if file.state is State.UNREVIEWED:
            with suppress(NotReleased, FileNotFoundError):
                desk.release(hop, file=file)


def expire_all(desk: Desk) -> None:
    expiry = Expiry(desk.maildir, desk.recorder, TERMS, lambda: datetime.now(UTC))
    for due in expiry.due():
        expiry.remove(due)
