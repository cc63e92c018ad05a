"""Every system call of a release fails in turn, or is its process's last: nothing is ever sent twice unasked."""

from __future__ import annotations

import errno
from pathlib import Path

from rig.desk import Desk
from rig.nexthop import ScriptedNextHop
from rig.tracer import Fault, Point, Traced, traced
from turfmilter.review.release import NotReleased, Uncertain

RELEASED, NOT_RELEASED, UNCERTAIN = 10, 11, 12  # what the administrator is told


def release(desk: Desk, hop: ScriptedNextHop, fault: Fault | None = None) -> Traced:
    """One release in a process of its own."""
    file = desk.maildir.again(desk.file)

    def run() -> int:
        try:
            return RELEASED if desk.release(hop, file=file).complete else UNCERTAIN
        except NotReleased:
            return NOT_RELEASED
        except Uncertain:
            return UNCERTAIN

    return traced(run, fault)


def test_no_kill_leads_to_a_second_message(tmp_path: Path) -> None:
    for at in calls(tmp_path / "whole"):
        check(tmp_path / str(at), Fault(at, after=True))


def test_no_error_leads_to_a_second_message_or_to_a_claim_that_is_not_true(tmp_path: Path) -> None:
    points = calls(tmp_path / "whole")
    for error in (errno.ENOSPC, errno.ECONNRESET, errno.EINTR):
        for at in points:
            check(tmp_path / f"{error}-{at}", Fault(at, error))


def calls(path: Path) -> list[Point]:
    desk = Desk(path)
    with desk.maildir, ScriptedNextHop() as hop:
        whole = release(desk, hop)
    assert whole.status == RELEASED
    assert len(whole.calls) > 40
    return whole.calls


def check(path: Path, fault: Fault) -> None:
    desk = Desk(path)
    with desk.maildir, ScriptedNextHop() as hop:
        ended = release(desk, hop, fault).status
        # The next hop serves one connection after another: with this one, the first is over.
        again = release(desk, hop).status
        sent, outcomes = len(hop.messages), [line for line in desk.lines() if line.stage == "outcome"]
        said = f"{fault}: told {ended}, then {again}; {sent} sent"
        assert sent <= 1, said
        if RELEASED in (ended, again):
            assert sent == 1, said
        if ended == NOT_RELEASED or again == RELEASED:
            assert (sent == 1) is (again == RELEASED), said
        # No line of the ledger lies: where one says 250, a message came.
        assert sent == 1 or not any(reply.startswith("2") for line in outcomes for reply in line.replies), said
        assert list(desk.ledger.damaged()) in ([], [1], [2]), said
