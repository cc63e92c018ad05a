"""What the ledger tells of a release."""

from __future__ import annotations

import pytest

from turfmilter.core.held.ledger import Line
from turfmilter.core.held.message import Flag, Message
from turfmilter.review.fate import Fate, fates, state


def line(stage: str, attempt: str, *replies: str, to: str = "bob", act: str = "release") -> Line:
    return Line("2026-11-22T10:00:00Z", "ada", 1000, "", act, stage, "id", attempt, tuple(to.split()), replies)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {}),
        ([line("done", "", act="delete")], {}),
        ([line("intent", "1")], {"bob": Fate.UNKNOWN}),
        ([line("intent", "1"), line("outcome", "1", "250 ok")], {"bob": Fate.RELEASED}),
        ([line("intent", "1"), line("outcome", "1", "550 no")], {"bob": Fate.REFUSED}),
        ([line("intent", "1"), line("outcome", "1", "not sent: away")], {"bob": Fate.REFUSED}),
        ([line("intent", "1"), line("outcome", "2", "550 no")], {"bob": Fate.UNKNOWN}),
        ([line("intent", "1"), line("intent", "2"), line("outcome", "2", "250 ok")], {"bob": Fate.RELEASED}),
        ([line("intent", "1"), line("intent", "2"), line("outcome", "2", "450 no")], {"bob": Fate.UNKNOWN}),
        (
            [line("intent", "1"), line("outcome", "1", "250 ok"), line("intent", "2"), line("outcome", "2", "550 no")],
            {"bob": Fate.RELEASED},
        ),
        (
            [line("intent", "1", to="bob"), line("outcome", "1", "250 ok", "550 no", to="bob carol")],
            {"bob": Fate.RELEASED, "carol": Fate.REFUSED},
        ),
    ],
)
def test_the_fate_of_each_recipient(lines: list[Line], expected: dict[str, Fate]) -> None:
    assert fates(lines) == expected


OPEN: frozenset[Flag] = frozenset()
REVIEWED = frozenset({Flag.REVIEWED})
RELEASED = frozenset({Flag.REVIEWED, Flag.RELEASED})
DELETED = frozenset({Flag.REVIEWED, Flag.DELETED})


@pytest.mark.parametrize(
    ("flags", "bob", "carol", "expected"),
    [
        (OPEN, None, None, "unreviewed"),
        (REVIEWED, None, None, "reviewed"),
        (REVIEWED, Fate.REFUSED, None, "reviewed"),
        (REVIEWED, Fate.RELEASED, None, "partly released"),
        (REVIEWED, Fate.RELEASED, Fate.REFUSED, "partly released"),
        (REVIEWED, Fate.RELEASED, Fate.RELEASED, "released"),
        (REVIEWED, Fate.RELEASED, Fate.UNKNOWN, "unknown"),
        (RELEASED, None, None, "released"),
        (RELEASED, Fate.RELEASED, Fate.RELEASED, "released"),
        (RELEASED, Fate.UNKNOWN, None, "unknown"),
        (DELETED, Fate.RELEASED, Fate.UNKNOWN, "deleted"),
    ],
)
def test_the_state_of_a_message(flags: frozenset[Flag], bob: Fate | None, carol: Fate | None, expected: str) -> None:
    known = {name: fate for name, fate in (("bob", bob), ("carol", carol), ("mallory", Fate.RELEASED)) if fate}
    assert state(Message("2q06cc-pnctn5", flags, "", ""), ("bob", "carol"), known).value == expected
