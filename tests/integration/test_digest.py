"""The digest of what was held."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.golden import Golden
from rig.program import ENVIRONMENT
from rig.quarantine import TIME, command, hold, reviewed, turfctl
from rig.sink import Sink

NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = TIME - timedelta(days=400)  # so that dates have their year
EVER = ("--newer", "9999w")


@pytest.fixture
def quarantine(place: Path) -> Path:
    return reviewed(place)[0]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


def config(quarantine: Path) -> Path:
    return quarantine.parent / "turfmilter.toml"


def digest(quarantine: Path, *options: str) -> str:
    """What it prints in Berlin."""
    done = subprocess.run(
        command(config(quarantine), "digest", *options),
        env=ENVIRONMENT | {"TZ": "Europe/Berlin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_digest_names_host_author_and_one_command_for_each_entry(quarantine: Path, golden: Golden) -> None:
    letter = b"From: Boss <BOSS@a.test>\r\nSubject: Our Offer of MAY\r\n\r\nx\r\n"
    ids = [
        hold(quarantine, letter, sender="news@a.test", time=LONG_AGO, entry="@a.test turf.table:1") for _ in range(5)
    ]
    other = hold(quarantine, sender="", time=LONG_AGO, entry="@b.test turf.table:2")
    said = digest(quarantine, *EVER)
    first, rest = said.split("\n", 1)
    assert re.fullmatch(
        rf"turfmilter {re.escape(platform.node())}: 6 messages held since \S+ \S+ \S+ \(all from new senders\)", first
    )
    assert max(map(len, rest.splitlines())) <= 78
    command = re.search(r"  turfctl release ((?:.*\\\n)*.*)\n", rest)
    assert command and set(command[1].replace("\\\n", "").split()) == set(ids)
    golden("digest", rest, dict.fromkeys([*ids, other], "ID-NUMBER-ONE"))


def test_new_senders_come_first_then_the_others_by_entry(quarantine: Path) -> None:
    hold(
        quarantine, sender="old@a.test", time=NOW - timedelta(days=3), entry="@a.test turf.table:1", file="cur/{id}:2,T"
    )
    again = hold(quarantine, sender="old@a.test", time=NOW, entry="@a.test turf.table:1")
    first = hold(quarantine, sender="new@b.test", time=NOW, entry="@b.test turf.table:2")
    said = digest(quarantine)
    assert "2 messages held since" in said
    assert "(1 from new senders)\n" in said
    places = [said.index(part) for part in ("NEW SENDERS", "@b.test turf.table:2 (1)", first, "OTHERS", again)]
    assert places == sorted(places)
    assert f"turfctl release {first}\n" in said


def test_only_open_messages_are_in_it(quarantine: Path) -> None:
    open_one = hold(quarantine, time=NOW, file="cur/{id}:2,S")
    gone = [hold(quarantine, time=NOW, file="cur/{id}:2," + flags) for flags in ("T", "PS")]
    said = digest(quarantine)
    assert "1 message held since" in said
    assert open_one in said
    assert not [id for id in gone if id in said]


def test_nothing_that_a_sender_wrote_can_forge_a_line(quarantine: Path) -> None:
    hold(quarantine, b"Subject: a\r\n b\x1b[2J\r\n\r\n", sender='"a\nb"@x.test', time=NOW)
    said = digest(quarantine)
    assert all(line.isprintable() for line in said.splitlines())
    assert r'"a\x0ab"@x.test' in said


def test_an_id_that_a_shell_would_execute_is_quoted(quarantine: Path) -> None:
    path = quarantine / "new/$(touch x);y"
    path.write_bytes(b"From: a@x.test\r\n\r\n")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert r"turfctl release '$(touch\x20x);y'" in digest(quarantine, *EVER)


@pytest.mark.parametrize("id", ["--force", "-", "--to=x@x.test"])
def test_an_id_is_never_an_option_of_the_command_that_names_it(quarantine: Path, id: str) -> None:
    path = quarantine / "new" / id
    path.write_bytes(b"From: a@x.test\r\n\r\n")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert rf"turfctl release '\x2d{id[1:]}'" in digest(quarantine, *EVER)


def test_nothing_held_is_said_and_not_mailed(quarantine: Path, sink: Sink) -> None:
    hold(quarantine, time=NOW - timedelta(days=9))
    assert re.fullmatch(r"no open messages that were held since [-\d]{10} [\d:]{5} \w+\n", digest(quarantine))
    reviewed(quarantine.parent, more=f"[release]\nport = {sink.port}\n")
    assert turfctl(config(quarantine), "digest", "--mail", "postmaster@rig.test").returncode == 0
    assert sink.deliveries == []


def test_it_is_mailed_without_a_sender_that_could_get_a_bounce(quarantine: Path, sink: Sink) -> None:
    reviewed(quarantine.parent, more=f"[release]\nport = {sink.port}\n")
    id = hold(quarantine, time=NOW)
    assert turfctl(config(quarantine), "digest", "--mail", "postmaster@rig.test").returncode == 0
    (letter,) = sink.deliveries
    assert (letter.sender, letter.recipients) == ("<>", ("postmaster@rig.test",))
    unfolded = letter.data.replace(b"\r\n ", b" ").decode()
    host = re.escape(platform.node())
    assert re.search(
        rf"(?m)^Subject: turfmilter {host}: 1 message held since \S+ \S+ \S+ \(1 from new senders\)", unfolded
    )
    assert b"Auto-Submitted: auto-generated\r\n" in letter.data
    assert id.encode() in letter.data
