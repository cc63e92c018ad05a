"""turfctl where it changes more than a mark: expire, verify, digest, and the turf table."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from rig import wait
from rig.filter import USER
from rig.nexthop import ScriptedNextHop
from rig.program import ENVIRONMENT
from rig.quarantine import command, hold, reviewed, turfctl

TABLE = "# ours\n@spam.example\n"


@pytest.fixture
def config(place: Path) -> Path:
    (place / "turf.table").write_text(TABLE)
    return reviewed(place, 'tables = ["file:turf.table"]', more='[quarantine]\nfloor = "0%"')[1]


@pytest.fixture
def quarantine(config: Path) -> Path:
    return config.parent / "quarantine"


@pytest.fixture
def table(config: Path) -> Path:
    return config.parent / "turf.table"


def in_turf(config: Path, *arguments: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    """What turfctl turf says, and how it leaves."""
    *start, _ = command(config, user=user)
    return subprocess.run(
        [*start, "turf", *arguments],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=wait.AMPLE,
        check=False,
    )


def old(quarantine: Path) -> str:
    """A message that is due."""
    id = hold(quarantine)
    at = time.time() - 31 * 86400
    os.utime(quarantine / "new" / id, (at, at))
    return id


def test_what_is_due_goes_when_that_is_agreed(quarantine: Path, config: Path) -> None:
    due, young = old(quarantine), hold(quarantine)
    listed = turfctl(config, "expire", "--dry-run")
    assert [line.split() for line in listed.stdout.splitlines()] == [
        ["ID", "WHY"],
        [due, "unreviewed,", "for", "31", "days"],
    ]
    asked = turfctl(config, "expire")
    assert (asked.returncode, "nobody is there to be asked" in asked.stderr) == (2, True)
    assert (quarantine / "new" / due).exists()
    assert turfctl(config, "expire", "--yes").stderr == "1 message removed\n"
    assert [path.name for path in (quarantine / "new").iterdir()] == [young]
    assert turfctl(config, "expire").stderr == "0 messages removed\n"


def test_what_agrees_is_said_and_what_does_not_is_named(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    done = turfctl(config, "verify")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "files, flags and ledger agree\n")
    turfctl(config, "show", id)
    (path,) = (quarantine / "cur").iterdir()
    path.unlink()
    done = turfctl(config, "verify", "--json")
    assert done.returncode == 1
    assert [(row["id"], row["wrong"]) for row in json.loads(done.stdout)] == [
        (id, "it is gone, and no line of the ledger says that it expired")
    ]


def test_the_letter_is_printed_unless_it_is_to_be_mailed(quarantine: Path, config: Path) -> None:
    assert turfctl(config, "digest").stdout == "nothing was held\n"
    id = hold(quarantine)
    assert f"turfctl quarantine release {id}" in turfctl(config, "digest", "--newer", "9999w").stdout
    config.write_text(f"{config.read_text()}[release]\nport = 1\n")
    done = turfctl(config, "digest", "--newer", "9999w", "--mail", "postmaster")
    assert (done.returncode, done.stderr) == (1, "turfctl: 127.0.0.1:1: Connection refused\n")


def test_an_entry_comes_and_goes(config: Path, table: Path) -> None:
    added = in_turf(config, "add", "--yes", "--why", "a b", "!boss@spam.example")
    assert added.stdout.startswith("!boss@spam.example turf.table:3: added")
    assert table.read_text().startswith(f'{TABLE}!boss@spam.example why="a b" by=')
    listed = json.loads(in_turf(config, "list", "--json", "boss").stdout)
    assert [(row["entry"], row["why"], row["where"]) for row in listed] == [
        ("!boss@spam.example", "a b", "turf.table:3")
    ]
    checked = json.loads(in_turf(config, "check", "--json", "boss@spam.example").stdout)
    assert [(row["verdict"], row["where"]) for row in checked] == [("not listed", "turf.table:3")]
    assert in_turf(config, "remove", "--yes", "!boss@spam.example").returncode == 0
    assert table.read_text() == TABLE


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["add", "@x.example"], 2, 'Add "@x.example" to '),
        (["add", "--dry-run", "@x.example"], 0, 'would add "@x.example" to '),
        (["add", "--yes", "spam.example"], 1, 'turf.table:3: "spam.example": the "@" is missing'),
        (["add", "--yes", "@spam.example"], 1, 'turf.table:2: "@spam.example" stands there already'),
        (["add", "--yes", "--why", "a\nb", "@x.example"], 1, "a note is one line of text"),
        (["add", "--yes", "--for", "soon", "@x.example"], 2, '"soon" is no span'),
        (["add", "--yes", "--table", "other.table", "@x.example"], 2, "is no turf table of the configuration"),
        (["remove", "--yes", "@x.example"], 1, '"@x.example" does not stand there'),
        (["list", "nobody"], 1, "no such entry"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    config: Path, table: Path, arguments: list[str], status: int, said: str
) -> None:
    done = in_turf(config, *arguments)
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert table.read_text() == TABLE


def test_the_filters_own_user_cannot_edit_the_table(quarantine: Path, config: Path, table: Path) -> None:
    table.parent.chmod(0o755)
    os.chown(table.parent, 0, 0)
    done = in_turf(config, "add", "--yes", "@x.example", user=USER)
    assert (done.returncode, "Permission denied" in done.stderr) == (1, True)
    done = turfctl(config, "release", "--yes", "--and-allow", hold(quarantine), user=USER)
    assert done.returncode == 1
    assert "its directory cannot be written to; start turfctl as root" in done.stderr
    assert table.read_text() == TABLE


LISTENERS = """
[listener.mx]
port = 25
[listener.mx.turf]
tables = ["file:mx.table", "@turf.example"]
[listener.fax]
port = 26
[listener.fax.turf]
tables = ["@turf.example"]
[listener.submission]
port = 587
"""


@pytest.mark.parametrize(
    ("listener", "edited", "said"),
    [
        ("mx", "mx.table", "!spam@turf.example mx.table:2: added"),
        ("submission", "turf.table", "!spam@turf.example turf.table:3: added"),
        ("", "turf.table", "!spam@turf.example turf.table:3: added"),
        ("gone", "turf.table", "!spam@turf.example turf.table:3: added"),
        ("fax", "", "!spam@turf.example was not added: tables of [listener.fax.turf] names no file to edit"),
    ],
)
def test_an_exception_goes_into_the_table_that_held_the_message(
    config: Path, quarantine: Path, listener: str, edited: str, said: str
) -> None:
    tables = {name: config.parent / name for name in ("turf.table", "mx.table")}
    for path in tables.values():
        path.write_text(f"{TABLE if path.name == 'turf.table' else ''}@turf.example\n".replace("@spam.example\n", ""))
    id = hold(quarantine, listener=listener)
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n{LISTENERS}")
        done = turfctl(config, "release", "--yes", "--and-allow", id)
    assert said in done.stdout + done.stderr
    assert done.returncode == (0 if edited else 1)
    assert [name for name, path in tables.items() if "!spam@turf.example" in path.read_text()] == [edited][
        : bool(edited)
    ]
    assert len(hop.messages) == 1
