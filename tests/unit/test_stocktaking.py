"""What the upkeep finds beside what it removes: numbers, and senders of whom nothing was held before."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.quarantine import hold
from rig.store import line
from turfmilter.config.sections.quarantine import QuarantineConfig
from turfmilter.core.held.ledger import Line
from turfmilter.core.held.message import State
from turfmilter.desk import open_quarantines
from turfmilter.review.census import Census
from turfmilter.review.stocktaking import Stocktaking

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
KEEP = QuarantineConfig().keep
MINUTE = timedelta(minutes=1)


class Host:
    """A quarantine that is looked at again and again, each time by a new process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for part in ("tmp", "new", "cur"):
            (path / part).mkdir(parents=True)
        self.now = START
        self.before: dict[str, Any] = {"started": START.isoformat()}

    def held(self, sender: str, ago: timedelta = timedelta(0), **more: object) -> str:
        return hold(self.path, sender=sender, time=self.now - ago, **more)

    def look(self, census: Census | None = None, *, keep: timedelta | None = KEEP) -> dict[str, Any]:
        """The result of the next stocktaking, a minute after the last one."""
        self.now += MINUTE
        with open_quarantines([self.path], lambda files: files) as quarantines:
            stocktaking = Stocktaking(self.before, self.now, keep)
            stocktaking.look(quarantines.each[0], census or Census())
        self.before = json.loads(json.dumps(stocktaking.result()))
        return self.before

    def new(self) -> list[str]:
        """The senders that are new to the next stocktaking."""
        return sorted(one["sender"] for one in self.look()["newcomers"])

    def wrote(self, *lines: Line) -> dict[str, float]:
        """The numbers of releases after these lines were added to the ledger."""
        with open_quarantines([self.path], lambda files: files) as quarantines:
            for one in lines:
                quarantines.each[0].ledger.append(one)
        return {key[1]: key[2] for key in self.look()["numbers"] if key[0] == "turfmilter_releases_total"}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "quarantine")


def test_a_sender_is_new_once(host: Host) -> None:
    host.held("a@x.test")
    host.held("A@X.test")
    host.held("b@x.test")
    assert host.new() == ["a@x.test", "b@x.test"]
    host.now += timedelta(hours=1)
    host.look()
    host.held("a@x.test")
    host.held("c@x.test")
    assert host.new() == ["c@x.test"]


def test_of_a_message_that_became_visible_late_the_next_one_tells(host: Host) -> None:
    host.look()
    host.held("a@x.test", ago=MINUTE)
    assert host.new() == ["a@x.test"]


@pytest.mark.parametrize(("ago", "new"), [(KEEP - MINUTE, []), (KEEP + timedelta(hours=1), ["a@x.test"])])
def test_a_sender_is_known_for_as_long_as_messages_are_kept(host: Host, ago: timedelta, new: list[str]) -> None:
    host.held("a@x.test", ago=ago)
    host.held("a@x.test")
    assert host.new() == new


def test_what_was_held_before_the_start_is_not_told(host: Host) -> None:
    host.held("a@x.test", ago=MINUTE)
    assert host.new() == []


@pytest.mark.parametrize(
    ("sender", "shown"), [("", "<>"), ("a\x1b[2J@x.test", r"a\x1b[2j@x.test"), ('"a b"@x.test', "a b@x.test")]
)
def test_a_sender_is_told_as_lists_show_it(host: Host, sender: str, shown: str) -> None:
    host.held(sender)
    assert len(host.look()["newcomers"]) == 1
    assert "\x1b" not in json.dumps(host.before["newcomers"], ensure_ascii=False)
    if "\x1b" not in sender:
        assert host.before["newcomers"][0]["sender"] == shown


def test_files_without_a_sender_are_passed_over(host: Host) -> None:
    (host.path / "new" / "by-hand").write_bytes(b"Subject: x\r\n\r\n")
    assert host.new() == []


def test_unless_someone_wants_to_know_no_sender_is_looked_for(host: Host) -> None:
    host.held("a@x.test")
    assert host.look(keep=None)["newcomers"] == []
    assert not (host.path / ".index").exists()


def release(*replies: str) -> Line:
    return line("a", "release", "outcome", recipients=tuple(map(str, range(len(replies)))), replies=replies)


def test_releases_are_counted_by_recipient_and_each_line_once(host: Host) -> None:
    intent = line("a", "release", "intent", recipients=("b",), replies=("",))
    assert host.wrote(intent, release("250 ok", "550 no", "451 later"), line("a", "delete")) == {
        "released": 1,
        "refused": 2,
        "not_sent": 0,
    }
    assert host.wrote() == {"released": 1, "refused": 2, "not_sent": 0}
    assert host.wrote(release("not sent: it hung"), release("250 ok")) == {"released": 2, "refused": 2, "not_sent": 1}


def test_a_new_ledger_does_not_let_the_counts_fall(host: Host) -> None:
    host.wrote(release("250 ok"))
    (host.path / "ledger").rename(host.path / "ledger.1")
    assert host.wrote() == {"released": 1, "refused": 0, "not_sent": 0}
    assert host.wrote(release("250 ok"))["released"] == 2


def test_quarantines_are_counted_together(host: Host) -> None:
    early, late = START, START + MINUTE
    one = Census(Counter({State.UNREVIEWED: 2}), 100, late, 0.5)
    other = Census(Counter({State.UNREVIEWED: 1, State.RELEASED: 4}), 50, early, 1.2)
    assert one + other == other + one == Census(Counter({State.UNREVIEWED: 3, State.RELEASED: 4}), 150, early, 1.2)
    numbers = {tuple(key): number for *key, number in host.look(one + other)["numbers"]}
    assert numbers["turfmilter_quarantine_messages", "unreviewed"] == 3
    assert numbers["turfmilter_quarantine_messages", "deleted"] == 0
    assert numbers[("turfmilter_quarantine_oldest_unreviewed_timestamp_seconds",)] == early.timestamp()
    assert host.before["nearly_full"] == {str(host.path): 1.2}


@pytest.mark.parametrize(("used", "full", "nearly"), [(0.79, 0, 0), (0.8, 0, 1), (0.99, 0, 1), (1.0, 1, 1)])
def test_a_quarantine_is_nearly_full_and_then_full(host: Host, used: float, full: int, nearly: int) -> None:
    result = host.look(Census(used=used))
    assert ["turfmilter_quarantine_full", bool(full)] in result["numbers"]
    assert len(result["nearly_full"]) == nearly


def test_what_cannot_be_looked_at_keeps_the_releases(host: Host) -> None:
    host.wrote(release("250 ok"))
    result = Stocktaking(host.before, host.now, KEEP).result()
    assert ["turfmilter_releases_total", "released", 1] in result["numbers"]
    assert [key for key in result["numbers"] if "quarantine" in key[0]] == []
