"""Many hands in one quarantine for a minute: eight hold, two list, one releases, one expires, and the counts add up."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.child import forked, status
from rig.desk import SLIP, Desk
from rig.nexthop import ScriptedNextHop
from turfmilter.config.sections.quarantine import QuarantineConfig
from turfmilter.core.held.message import State
from turfmilter.core.held.selection import Selection
from turfmilter.desk import open_quarantines
from turfmilter.review.expiry import Expiry
from turfmilter.review.observation import Observation
from turfmilter.review.release import NotReleased
from turfmilter.review.verify import verify
from turfmilter.stores.retention import RetentionState, read_clocks

HOLDERS, SECONDS = 8, 60.0
Told = list[int]  # the signals that came

TERMS = replace(QuarantineConfig(), floor=0.0, keep_reviewed=timedelta(0))


@pytest.mark.timeout(400)
def test_many_hands_lose_and_invent_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "quarantine")
    ids = tmp_path / "ids"
    with desk.maildir, ScriptedNextHop() as hop, ExitStack() as running:
        others = [list_all, list_all, lambda desk, told: release_all(desk, hop, told), expire_all]
        helpers = [running.enter_context(forked(until_told(other, desk))) for other in others]
        holders = [running.enter_context(forked(hold(desk, ids))) for _ in range(HOLDERS)]
        assert [status(pid) for pid in holders] == [0] * HOLDERS
        for pid in helpers:
            os.kill(pid, signal.SIGTERM)
        assert [status(pid) for pid in helpers] == [0] * len(helpers)

        told = [*ids.read_text().split(), desk.file.id]
        held = set(told)
        left = {file.id for file, _ in desk.maildir.files()}
        expired = Counter(line.id for line in desk.lines() if line.act == "expire" and line.note == "done")
        released = Counter(line.id for line in desk.lines() if (line.act, line.stage) == ("release", "outcome"))
        assert len(held) == len(told)
        assert left | set(expired) == held
        assert not left & set(expired)
        assert max(expired.values()) == max(released.values()) == 1
        assert len(hop.messages) == len(released)
        assert set(expired) <= set(released), "what nobody has reviewed does not expire"
        assert list(verify(desk.held, lambda files: files)) == []
        assert list((desk.path / "tmp").iterdir()) == []


def hold(desk: Desk, ids: Path) -> Callable[[], None]:
    def run() -> None:
        end = time.monotonic() + SECONDS
        with ids.open("a") as told:
            while time.monotonic() < end:
                # Each in a second of its own: in a single one, so many ids would not be unique.
                time_held = SLIP.time - timedelta(seconds=random.randrange(80_000))
                told.write(f"{desk.hold(replace(SLIP, time=time_held)).id}\n")
                told.flush()

    return run


def until_told(act: Callable[[Desk, Told], None], desk: Desk) -> Callable[[], None]:
    """Again and again, until SIGTERM: then what is begun for one message is ended, and nothing else."""

    def run() -> None:
        told: Told = []
        signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
        while not told:
            act(desk, told)

    return run


def list_all(desk: Desk, _told: Told) -> None:
    """With descriptors of its own, as another process has them."""
    with open_quarantines([desk.path], lambda files: files) as quarantines:
        assert not any(held.summary.doubt for held in quarantines.newest(Selection(states=frozenset(State))))


def release_all(desk: Desk, hop: ScriptedNextHop, told: Told) -> None:
    for file, _ in list(desk.maildir.files()):
        if told:
            return
        if file.state is State.UNREVIEWED:
            with suppress(NotReleased, FileNotFoundError):
                desk.release(hop, file=file)


def expire_all(desk: Desk, told: Told) -> None:
    watch = Observation(RetentionState(desk.path.parent), read_clocks)
    expiry = Expiry(desk.held, desk.recorder, TERMS, watch, lambda: datetime.now(UTC))
    for due in expiry.due():
        if told:
            return
        expiry.remove(due)
