"""turfctl turf stats, turf tidy and report: what entries and rules on trial are worth."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.golden import Golden
from rig.journal import Journal
from rig.quarantine import hold, turfctl
from rig.sessions import Message, Plan

DAY = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?")
BOB = "<bob@example.org>"
TABLE = """\
@spam.example by=anna why="ticket 7"
@old.example expires=2026-01-31
!friend@spam.example
sub@spam.example # a comment
@quiet.example
@quiet.example
"""


def from_(sender: str) -> Plan:
    return Plan(messages=(Message(sender, (BOB,), author="a@good.example"),))


@pytest.fixture
def table(place: Path) -> Path:
    path = place / "turf.table"
    path.write_text(TABLE)
    return path


@pytest.fixture
def kept(place: Path, table: Path) -> Journal:
    journal = Journal(place, f'tables = ["file:{table.name}"]\n')
    journal.play(from_("<x@spam.example>"), ago=timedelta(days=50))
    journal.play(from_("<x@spam.example>"), from_("<sub@spam.example>"), ago=timedelta(days=10))
    journal.play(from_("<x@spam.example>"), from_("<x@good.example>"), ago=timedelta(hours=2))
    return journal


def test_stats_count_the_matches_of_each_entry(kept: Journal) -> None:
    found = {one["where"]: one for one in json.loads(turfctl(kept.config, "turf", "stats", "--json").stdout)}
    assert [(found[f"turf.table:{n}"][key]) for n in (1, 4) for key in ("1d", "7d", "30d")] == [1, 1, 2, 0, 0, 1]
    states = ["", "expired on 2026-01-31", "", "", "", "never decides"]
    assert [found[f"turf.table:{n}"]["state"] for n in range(1, 7)] == states
    assert (found["turf.table:1"]["by"], found["turf.table:1"]["why"]) == ("anna", "ticket 7")


def test_stats_are_shown_as_a_table(kept: Journal, golden: Golden) -> None:
    done = turfctl(kept.config, "turf", "stats")
    golden("worth", DAY.sub("(day)     ", done.stdout))
    done = turfctl(kept.config, "turf", "stats", "--dead")
    golden("worth", DAY.sub("(day)     ", done.stdout))


def test_tidy_removes_what_has_expired_or_never_decides(kept: Journal, table: Path, golden: Golden) -> None:
    assert "2 entries would be removed" in turfctl(kept.config, "turf", "tidy", "--dry-run").stdout
    assert table.read_text() == TABLE
    done = turfctl(kept.config, "turf", "tidy", "--yes")
    golden("worth", done.stdout)
    assert table.read_text().splitlines() == [
        '@spam.example by=anna why="ticket 7"',
        "!friend@spam.example",
        "sub@spam.example # a comment",
        "@quiet.example",
    ]
    assert turfctl(kept.config, "turf", "tidy", "--yes").stdout == "nothing to remove\n"


def test_tidy_removes_what_has_not_matched_for_so_long(kept: Journal, table: Path) -> None:
    long_ago = time.time() - 40 * 86400
    os.utime(table, (long_ago, long_ago))
    done = turfctl(kept.config, "turf", "tidy", "--unused", "5d", "--yes")
    assert done.returncode == 0, done.stderr
    assert table.read_text().splitlines() == ['@spam.example by=anna why="ticket 7"', "!friend@spam.example"]


def test_tidy_does_not_guess_what_the_journal_does_not_know(kept: Journal, table: Path) -> None:
    done = turfctl(kept.config, "turf", "tidy", "--unused", "90d", "--yes")
    assert done.returncode == 1
    assert "which is less than 90d ago, so what is unused is not known" in done.stderr
    assert table.read_text() == TABLE


def test_an_entry_that_may_be_new_is_not_unused(kept: Journal, table: Path) -> None:
    today, before = datetime.now(UTC), datetime.now(UTC) - timedelta(days=30)
    table.write_text(f"@spam.example\n@by-hand.example\n@new.example # {today:%F}\n@old.example # {before:%F}\n")
    done = turfctl(kept.config, "turf", "tidy", "--unused", "20d", "--yes")
    assert done.returncode == 0, done.stderr
    assert table.read_text() == f"@spam.example\n@by-hand.example\n@new.example # {today:%F}\n"


def test_a_table_with_a_blank_in_its_name_is_counted(place: Path) -> None:
    (place / "my table").write_text("@spam.example\n")
    journal = Journal(place, 'tables = ["file:my table"]\n')
    journal.play(from_("<x@spam.example>"))
    (one,) = json.loads(turfctl(journal.config, "turf", "stats", "--json").stdout)
    assert one["30d"] == 1
    assert turfctl(journal.config, "hunt", "--entry", "@spam.example").returncode == 0
    assert turfctl(journal.config, "hunt", "--entry", "my table:1").returncode == 0


def test_tidy_asks_first(kept: Journal, table: Path) -> None:
    done = turfctl(kept.config, "turf", "tidy")
    assert done.returncode == 2
    assert "2 entries will be removed, but there is no terminal to ask" in done.stderr
    assert table.read_text() == TABLE


def test_a_report_shows_what_rules_on_trial_would_have_done(place: Path, golden: Golden) -> None:
    journal = Journal(
        place, 'mode = "trial"\ntables = ["@spam.example"]\n', '[connect]\nmode = "trial"\ndeny = ["192.0.2.1"]\n'
    )
    journal.play(
        from_("<x@spam.example>"), from_("<x@good.example>"), from_("<y@spam.example>"), from_("<y@spam.example>")
    )
    hold(journal.quarantine, sender="y@spam.example", file="cur/{id}:2,PS")
    done = turfctl(journal.config, "report")
    assert done.returncode == 0
    golden("worth", DAY.sub("(time)", done.stdout))
    found = json.loads(turfctl(journal.config, "report", "--json").stdout)
    assert {(one["rule"], one["verdict"], one["count"]) for one in found} == {
        ("turf", "hold", 3),
        ("connect", "reject", 4),
    }


def test_without_anything_on_trial_the_report_says_so(kept: Journal) -> None:
    done = turfctl(kept.config, "report")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no rule in trial mode would have done anything" in done.stderr
