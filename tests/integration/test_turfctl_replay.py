"""turfctl replay: what other rules would have done with the mail in the journal."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from rig.filter import give
from rig.golden import Golden
from rig.journal import Journal
from rig.quarantine import hold, turfctl
from rig.sessions import Message, Plan

OURS = "<bob@example.org>"
GOOD = Plan(messages=(Message("<anna@shop.example>", (OURS,), author="anna@shop.example"),))
NEWS = Plan(
    messages=(Message("<news@shop.example>", (OURS, "<carol@example.org>"), author="News <news@shop.example>"),)
)
SPAM = Plan(messages=(Message("<x@spam.example>", (OURS,), author="x@spam.example"),))
RELAY = Plan(client="198.51.100.7", messages=(Message("<a@out.example>", ("<b@elsewhere.example>",)),))
TRANSCRIPT = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
HOWTO = Path(__file__).parents[2] / "docs" / "howto"
DYNAMIC = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


@pytest.fixture
def kept(place: Path) -> Journal:
    journal = Journal(place, 'tables = ["@spam.example"]\n')
    journal.play(GOOD, NEWS, SPAM, RELAY, GOOD)
    return journal


def test_under_the_configuration_in_force_nothing_would_change(kept: Journal) -> None:
    done = turfctl(kept.config, "replay")
    assert (done.returncode, done.stdout, done.stderr.count("before")) == (
        0,
        "5 transactions judged, 0 would change\n",
        1,
    )


def test_an_entry_shows_what_it_would_have_held(kept: Journal, golden: Golden) -> None:
    done = turfctl(kept.config, "replay", "--turf-add", "@shop.example")
    assert done.returncode == 1
    golden("replay", DYNAMIC.sub("(time)", done.stdout))


def test_several_changes_are_judged_together(kept: Journal, golden: Golden) -> None:
    done = turfctl(kept.config, "replay", "--turf-remove", "@spam.example", "--deny", "198.51.100.0/24")
    assert done.returncode == 1
    golden("replay", DYNAMIC.sub("(time)", done.stdout))


def test_a_sender_whose_mail_was_released_is_marked(kept: Journal) -> None:
    hold(kept.quarantine, sender="news@shop.example", file="cur/{id}:2,PS")
    done = turfctl(kept.config, "replay", "--turf-add", "news@shop.example")
    assert "news@shop.example  (mail of this sender was released)" in done.stdout


def test_another_configuration_is_judged_whole(kept: Journal, place: Path) -> None:
    other = place / "new.toml"
    other.write_text(kept.config.read_text().replace('"example.org"', '"example.net"'))
    done = turfctl(kept.config, "replay", "--config", str(other), "--json")
    found = json.loads(done.stdout)
    assert (found["judged"], found["changed"]) == (5, 4)
    assert {(one["kind"], one["rule"], one["count"]) for one in found["causes"]} == {("refused", "relay", 4)}


def test_what_the_journal_lacks_is_undecided_and_not_guessed(kept: Journal) -> None:
    done = turfctl(kept.config, "replay", "--deny", "dial.example", "--json")
    found = json.loads(done.stdout)
    assert found["undecided"] == {"the client's names": 5}
    assert (done.returncode, found["changed"]) == (0, 0)


def test_older_mail_is_left_out(kept: Journal) -> None:
    kept.play(SPAM, ago=timedelta(days=9))
    assert "5 transactions judged" in turfctl(kept.config, "replay").stdout
    assert "6 transactions judged" in turfctl(kept.config, "replay", "--since", "10d").stdout
    assert "the journal begins at" not in turfctl(kept.config, "replay").stderr


def test_a_damaged_journal_is_judged_as_far_as_it_can_be_read(kept: Journal) -> None:
    (file,) = kept.directory.iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b"rubbish\n" + lines[1].replace(b'"v":1', b'"v":7') + b"".join(lines[2:])[:-9])
    done = turfctl(kept.config, "replay")
    assert "3 transactions judged" in done.stdout
    for why in ("1 line that cannot be read: damaged", "cannot be read: version 7", "cannot be read: truncated"):
        assert why in done.stderr


def test_a_line_that_cannot_be_read_is_counted_once(kept: Journal) -> None:
    first = next(kept.directory.iterdir())
    cut = first.with_name(first.name.replace(".1.jsonl", ".2.jsonl"))
    cut.write_bytes(b'{"v":1,"time":"2026')
    give(cut)
    kept.play(GOOD)
    done = turfctl(kept.config, "replay")
    assert "the journal has 1 line that cannot be read: truncated" in done.stderr


def test_a_file_that_cannot_be_opened_ends_the_replay_with_its_name(kept: Journal) -> None:
    closed = kept.directory / "2099-01-01.w9.1.jsonl"
    closed.write_bytes(b"")
    closed.chmod(0)
    done = turfctl(kept.config, "replay")
    assert (done.returncode, done.stdout) == (78, "")  # 1 would mean that something would change
    assert done.stderr.splitlines()[-1] == f"turfctl: {closed}: Permission denied"
    assert "Traceback" not in done.stderr


def test_files_of_other_programs_are_left_alone(kept: Journal) -> None:
    for name, content in (
        ("2026-12-01.log", b"x\n"),
        ("notes.jsonl", b"{}\n"),
        ("2026-12-01.w9.1.jsonl.gz", b"no gzip"),
    ):
        (kept.directory / name).write_bytes(content)
        give(kept.directory / name)
    done = turfctl(kept.config, "replay")
    assert "5 transactions judged, 0 would change" in done.stdout
    assert done.stderr.count("cannot be read") == 1  # the one that has the name of a journal's file


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--turf-add", "spam.example"], '--turf-add: "spam.example"'),
        (["--turf-remove", "@other.example"], '"@other.example" is not in any turf table'),
        (["--turf-remove", "no entry"], "--turf-remove: "),
        (["--deny", "192.0.2.1/24"], '--deny: "192.0.2.1/24"'),
        (["--since", "soon"], '"soon"'),
    ],
)
def test_invalid_entries_are_refused_with_the_reason(kept: Journal, options: list[str], said: str) -> None:
    done = turfctl(kept.config, "replay", *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_configuration_with_errors_is_not_judged(kept: Journal, place: Path) -> None:
    other = place / "new.toml"
    other.write_text("domains = 7\n")
    done = turfctl(kept.config, "replay", "--config", str(other))
    assert done.returncode == 78
    assert f"{other}: domains" in done.stderr or "new.toml" in done.stderr


def test_without_a_journal_it_says_what_to_set(place: Path) -> None:
    journal = Journal(place)
    journal.config.write_text(journal.config.read_text().replace("[journal]", "[journal.x]"))
    text = journal.config.read_text()
    journal.config.write_text(text[: text.index("[journal.x]")])
    done = turfctl(journal.config, "replay")
    assert done.returncode == 78
    assert "no journal is kept" in done.stderr


def test_an_empty_journal_is_no_proof(place: Path) -> None:
    done = turfctl(Journal(place).config, "replay")
    assert done.returncode == 78
    assert "is empty" in done.stderr


def test_an_entry_is_tried_before_it_is_added(kept: Journal, place: Path, golden: Golden) -> None:
    table = place / "turf.table"
    table.write_text("@spam.example\n")
    kept.config.write_text(
        kept.config.read_text().replace('tables = ["@spam.example"]', 'tables = ["file:turf.table"]')
    )
    done = turfctl(kept.config, "turf", "add", "news@shop.example", "--try")
    assert done.returncode == 1
    golden("replay", DYNAMIC.sub("(time)", done.stdout))
    assert table.read_text() == "@spam.example\n"


def test_after_an_entry_was_added_the_mail_that_it_missed_is_named(kept: Journal, place: Path, golden: Golden) -> None:
    table = place / "turf.table"
    table.write_text("")
    kept.config.write_text(
        kept.config.read_text().replace('tables = ["@spam.example"]', 'tables = ["file:turf.table"]')
    )
    done = turfctl(kept.config, "turf", "add", "@shop.example", "--yes")
    assert done.returncode == 0
    golden("replay", done.stdout)
    again = turfctl(kept.config, "turf", "add", "!@friend.shop.example", "--yes")
    assert "already delivered" not in again.stdout


def test_mail_that_another_entry_missed_is_not_named_again(kept: Journal, place: Path) -> None:
    (place / "turf.table").write_text("news@shop.example\n")
    kept.config.write_text(
        kept.config.read_text().replace('tables = ["@spam.example"]', 'tables = ["file:turf.table"]')
    )
    done = turfctl(kept.config, "turf", "add", "anna@shop.example", "--yes")
    assert "to 1 recipients" in done.stdout or "to 1 recipient;" in done.stdout
    assert "carol@example.org" not in done.stdout


def test_an_entry_with_notes_finds_the_mail_that_it_missed(kept: Journal, place: Path) -> None:
    (place / "turf.table").write_text("")
    kept.config.write_text(
        kept.config.read_text().replace('tables = ["@spam.example"]', 'tables = ["file:turf.table"]')
    )
    done = turfctl(kept.config, "turf", "add", "news@Shop.example", "--why", "a newsletter", "--for", "90d", "--yes")
    assert "doveadm search -u carol@example.org" in done.stdout


def test_after_an_addition_a_journal_that_cannot_be_read_is_a_warning(kept: Journal, place: Path) -> None:
    (place / "turf.table").write_text("")
    kept.config.write_text(
        kept.config.read_text().replace('tables = ["@spam.example"]', 'tables = ["file:turf.table"]')
    )
    (closed := kept.directory / "2099-01-01.w9.1.jsonl").touch()
    closed.chmod(0)
    done = turfctl(kept.config, "turf", "add", "news@shop.example", "--yes")
    assert done.returncode == 0
    assert "mail that was delivered before is not listed: " in done.stderr
    assert "doveadm" not in done.stdout


def test_the_page_about_an_entry_shows_what_is_printed(kept: Journal, place: Path) -> None:
    (place / "turf.table").write_text("")
    kept.config.write_text(
        kept.config.read_text().replace('tables = ["@spam.example"]', 'tables = ["file:turf.table", "@spam.example"]')
    )
    tried = turfctl(kept.config, "turf", "add", "@shop.example", "--try")
    added = turfctl(kept.config, "turf", "add", "@shop.example", "--yes")
    assert transcripts("try-an-entry.md") == [shown(tried.stdout), shown(added.stdout)]


def test_the_page_about_trial_mode_shows_what_is_printed(place: Path) -> None:
    journal = Journal(place, 'tables = ["@spam.example"]\n')
    before = journal.config.read_text()
    journal.config.write_text(f'mode = "trial"\n{before}')
    friend = Plan(messages=(Message("<friend@spam.example>", (OURS,), author="friend@spam.example"),))
    journal.play(GOOD, SPAM, friend, RELAY, SPAM)
    hold(journal.quarantine, sender="friend@spam.example", file="cur/{id}:2,PS")
    enforcing = place / "enforce.toml"
    enforcing.write_text(f'mode = "enforce"\n{before}')
    first = turfctl(journal.config, "replay", "--config", str(enforcing))
    excepted = turfctl(journal.config, "replay", "--config", str(enforcing), "--turf-add", "!friend@spam.example")
    assert transcripts("roll-out-in-trial-mode.md") == [shown(first.stdout), shown(excepted.stdout)]


def transcripts(page: str) -> list[str]:
    """What a how-to page shows as printed, without the times."""
    return [shown(found) for found in TRANSCRIPT.findall((HOWTO / page).read_text())]


def shown(printed: str) -> str:
    return DYNAMIC.sub("(time)", printed)
