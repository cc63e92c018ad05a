"""What the ledger tells of a release."""

from __future__ import annotations

import pytest

from turfmilter.review.fate import Fate, fates, state
from turfmilter.stores.ledger import Line
from turfmilter.stores.opened import HeldFile


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


@pytest.mark.parametrize(
    ("flags", "bob", "carol", "expected"),
    [
        ("", None, None, "unreviewed"),
        ("S", None, None, "reviewed"),
        ("S", Fate.REFUSED, None, "reviewed"),
        ("S", Fate.RELEASED, None, "partly released"),
        ("S", Fate.RELEASED, Fate.REFUSED, "partly released"),
        ("S", Fate.RELEASED, Fate.RELEASED, "released"),
        ("S", Fate.RELEASED, Fate.UNKNOWN, "unknown"),
        ("PS", None, None, "released"),
        ("PS", Fate.RELEASED, Fate.RELEASED, "released"),
        ("PS", Fate.UNKNOWN, None, "unknown"),
        ("ST", Fate.RELEASED, Fate.UNKNOWN, "deleted"),
    ],
)
def test_the_state_of_a_message(flags: str, bob: Fate | None, carol: Fate | None, expected: str) -> None:
    known = {name: fate for name, fate in (("bob", bob), ("carol", carol), ("mallory", Fate.RELEASED)) if fate}
    assert state(HeldFile(f"2q06cc-pnctn5:2,{flags}", "cur"), ("bob", "carol"), known) == expected
