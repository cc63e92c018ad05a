"""The digest of what was held."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.quarantine import hold, reviewed, turfctl
from rig.sink import Sink

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def quarantine(place: Path) -> Path:
    return reviewed(place)[0]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


def config(quarantine: Path) -> Path:
    return quarantine.parent / "turfmilter.toml"


def test_new_senders_come_first_then_the_others_by_entry(quarantine: Path) -> None:
    hold(quarantine, sender="old@a.test", time=NOW - timedelta(days=3), entry="@a.test turf.table:1")
    again = hold(quarantine, sender="old@a.test", time=NOW, entry="@a.test turf.table:1")
    first = hold(quarantine, sender="new@b.test", time=NOW, entry="@b.test turf.table:2")
    said = turfctl(config(quarantine), "digest").stdout
    first_line, _ = said.split("\n", 1)
    assert re.fullmatch(r"2 messages held since \d{4}-\d\d-\d\d \d\d:\d\d UTC, 1 from new senders\.", first_line)
    places = [said.index(part) for part in ("NEW SENDERS", "@b.test turf.table:2 (1)", first, "OTHERS", again)]
    assert places == sorted(places)
    assert f"turfctl release {first}\n" in said


def test_nothing_that_a_sender_wrote_can_forge_a_line(quarantine: Path) -> None:
    hold(quarantine, b"Subject: a\r\n b\x1b[2J\r\n\r\n", sender='"a\nb"@x.test', time=NOW)
    said = turfctl(config(quarantine), "digest").stdout
    assert all(line.isprintable() for line in said.splitlines())
    assert r"from <\"a\x0ab\"@x.test>".replace('\\"', '"') in said


def test_nothing_held_is_said_and_not_mailed(quarantine: Path, sink: Sink) -> None:
    assert turfctl(config(quarantine), "digest").stdout == "nothing was held\n"
    reviewed(quarantine.parent, more=f"[release]\nport = {sink.port}\n")
    assert turfctl(config(quarantine), "digest", "--mail", "postmaster@rig.test").returncode == 0
    assert sink.deliveries == []


def test_it_is_mailed_without_a_sender_that_could_get_a_bounce(quarantine: Path, sink: Sink) -> None:
    reviewed(quarantine.parent, more=f"[release]\nport = {sink.port}\n")
    id = hold(quarantine, time=NOW)
    assert turfctl(config(quarantine), "digest", "--mail", "postmaster@rig.test").returncode == 0
    (letter,) = sink.deliveries
    assert (letter.sender, letter.recipients) == ("<>", ("postmaster@rig.test",))
    unfolded = letter.data.replace(b"\r\n ", b" ")
    assert re.search(rb"(?m)^Subject: turfmilter: 1 message held since [-0-9]+ [:0-9]+ UTC, 1 from new", unfolded)
    assert b"Auto-Submitted: auto-generated\r\n" in letter.data
    assert id.encode() in letter.data
