"""turfctl hunt: searching what was decided."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from rig.golden import Golden
from rig.journal import Journal
from rig.quarantine import turfctl
from rig.sessions import Message, Plan
from turfmilter.core.session import ClientNames

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
BOB = "<bob@example.org>"
PLANS = (
    Plan(client="192.0.2.1", messages=(Message("<anna@good.example>", (BOB, "<carol@example.org>")),)),
    Plan(client="192.0.2.2", messages=(Message("<x@sub.spam.example>", (BOB,), author="Y <y@good.example>"),)),
    Plan(client="2001:db8::1", messages=(Message("<B@GOOD.example>", (BOB,), author="z@spam.example"),)),
    Plan(client="198.51.100.7", messages=(Message("<>", ("<d@else.example>",)),)),
    Plan(client="192.0.2.1", account="alice@realm", messages=(Message("<alice@example.org>", (BOB,)),)),
    Plan(
        client="203.0.113.9", names=ClientNames((), ("a.dial.example",)), messages=(Message("<q@q.example>", (BOB,)),)
    ),
)
MORE = '[connect]\ndeny = ["dial.example"]\n'


@pytest.fixture
def kept(place: Path) -> Journal:
    journal = Journal(place, 'tables = ["@spam.example"]\n', MORE)
    journal.play(*PLANS)
    return journal


def ids(kept: Journal, options: Sequence[str]) -> list[str]:
    """The queue ids that are found, as numbers of the plans."""
    done = turfctl(kept.config, "hunt", "--json", *options)
    assert done.stderr == ""
    return [one["queue_id"] for one in json.loads(done.stdout)]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], "5 4 3 2 1 0"),
        (["--limit", "2"], "5 4"),
        (["--sender", "@good.example"], "2 0"),
        (["--sender", "b@good.example"], "2"),
        (["--sender", "<>"], "3"),
        (["--sender", "=@spam.example"], ""),
        (["--sender", "@spam.example"], "1"),
        (["--author", "@spam.example"], "2"),
        (["--recipient", "carol@"], "0"),
        (["--recipient", "d@else.example"], "3"),
        (["--client", "192.0.2.0/24"], "4 1 0"),
        (["--client", "2001:db8::/32"], "2"),
        (["--client", "dial.example"], "5"),
        (["--verdict", "hold"], "2 1"),
        (["--verdict", "reject"], "5 3"),
        (["--verdict", "accept"], "4 0"),
        (["--account", "alice"], "4"),
        (["--account", "Alice@Realm"], "4"),
        (["--rule", "relay"], "3"),
        (["--entry", "@spam.example"], "2 1"),
        (["--entry", "turf.tables[0]"], "2 1"),
        (["--newer", "1h"], ""),
        (["--older", "1h", "--verdict", "hold"], "2 1"),
        (["--client", "192.0.2.0/24", "--verdict", "hold"], "1"),
    ],
)
def test_a_transaction_must_meet_all_conditions(kept: Journal, options: list[str], found: str) -> None:
    assert ids(kept, options) == [f"Q{number}0" for number in found.split()]


def test_the_list_shows_what_was_decided_and_why(kept: Journal, golden: Golden) -> None:
    done = turfctl(kept.config, "hunt", "--limit", "4")
    golden("hunt", TIME.sub("(time)             ", done.stdout) + done.stderr)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("verdict", {"hold": 2, "reject": 2, "accept": 2}),
        ("client", {"192.0.2.1": 2, "192.0.2.2": 1, "2001:db8::1": 1, "198.51.100.7": 1, "203.0.113.9": 1}),
        ("recipient", {"bob@example.org": 5, "carol@example.org": 1, "d@else.example": 1}),
        ("entry", {"": 3, "@spam.example turf.tables[0]": 2, "dial.example connect.deny[0]": 1}),
        ("domain", {"good.example": 2, "sub.spam.example": 1, "": 1, "example.org": 1, "q.example": 1}),
    ],
)
def test_they_are_counted_by_what_they_have_in_common(kept: Journal, by: str, groups: dict[str, int]) -> None:
    done = turfctl(kept.config, "hunt", "--group-by", by, "--json")
    assert {one[by]: one["count"] for one in json.loads(done.stdout)} == groups
    assert turfctl(kept.config, "hunt", "--group-by", by).stdout.splitlines()[0].startswith(" COUNT  LAST")


def test_several_days_are_searched_backwards(kept: Journal) -> None:
    for days in (1, 2, 3):
        kept.play(PLANS[0], ago=timedelta(days=days))
    assert ids(kept, ["--sender", "anna@good.example"]) == ["Q00", "Q60", "Q70", "Q80"]
    assert ids(kept, ["--sender", "anna@good.example", "--newer", "36h"]) == ["Q00", "Q60"]
    assert ids(kept, ["--sender", "anna@good.example", "--older", "36h"]) == ["Q70", "Q80"]


def test_nothing_found_is_said(kept: Journal) -> None:
    done = turfctl(kept.config, "hunt", "--sender", "@nowhere.example")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "turfctl: nothing in the journal matches\n")


def test_lines_that_cannot_be_read_are_reported(kept: Journal) -> None:
    (file,) = kept.directory.iterdir()
    file.write_bytes(file.read_bytes() + b"{}\nhalf a li")
    done = turfctl(kept.config, "hunt")
    assert "turfctl: warning: the journal has 1 line that cannot be read: damaged" in done.stderr
    assert "turfctl: warning: the journal has 1 line that cannot be read: truncated" in done.stderr
    assert done.stdout.count("\n") == 7
