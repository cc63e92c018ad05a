"""A quarantine of a newer version is looked at, and nothing in it is changed, by neither of the two programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.nexthop import ScriptedNextHop
from rig.program import configured, run
from rig.quarantine import MESSAGE, hold, reviewed, turfctl
from turfmilter.compose import look_after
from turfmilter.config.loader import load
from turfmilter.core.held.block import FORMAT
from turfmilter.core.held.ledger import LedgerError, Line
from turfmilter.core.held.room import UnusableQuarantine
from turfmilter.desk import SystemClock
from turfmilter.stores.ledger import Ledger
from turfmilter.stores.maildir import Maildir
from turfmilter.stores.opened import OpenMaildir

NEWER = f"a newer version of turfmilter wrote it: it is in format 9, this version knows formats up to {FORMAT}"


def tree(quarantine: Path) -> dict[str, bytes]:
    """Every file, with what is in it."""
    return {str(path.relative_to(quarantine)): path.read_bytes() for path in quarantine.rglob("*") if path.is_file()}


@pytest.fixture
def newer(place: Path) -> tuple[Path, Path, str]:
    """A quarantine that a newer version has marked, the configuration, and the id of a message."""
    quarantine, config = reviewed(place)
    id = hold(quarantine)
    (quarantine / "format").write_text("9\n")
    return quarantine, config, id


def test_the_daemon_marks_what_it_writes_to(place: Path) -> None:
    quarantine, _ = reviewed(place)
    Maildir(quarantine, floor=0).check(SystemClock().now())
    assert (quarantine / "format").read_text() == f"{FORMAT}\n"
    before = (quarantine / "format").stat()
    Maildir(quarantine, floor=0).check(SystemClock().now())
    assert (quarantine / "format").stat().st_ino == before.st_ino


def test_a_quarantine_of_the_first_version_is_marked_when_this_one_begins_to_write_there(place: Path) -> None:
    quarantine, _ = reviewed(place)
    (quarantine / "format").write_text("1\n")
    Maildir(quarantine, floor=0).check(SystemClock().now())
    assert (quarantine / "format").read_text() == f"{FORMAT}\n"


@pytest.mark.parametrize("mark", ["9", f"{FORMAT + 1}\n", "2.1\n", "", "²", "-1", "two"])
def test_the_daemon_does_not_start_on_one_of_a_newer_version(place: Path, mark: str) -> None:
    quarantine, _ = reviewed(place)
    (quarantine / "format").write_text(mark)
    before = tree(quarantine)
    with pytest.raises(UnusableQuarantine, match=r"^quarantine .*newer version of turfmilter"):
        Maildir(quarantine, floor=0).check(SystemClock().now())
    assert tree(quarantine) == before


@pytest.mark.parametrize("plant", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, Path.mkdir])
def test_what_was_planted_for_the_mark_keeps_it_from_starting_and_is_not_followed(
    place: Path, plant: Callable[[Path], object]
) -> None:
    quarantine, config = reviewed(place)
    id = hold(quarantine)
    plant(quarantine / "format")
    with pytest.raises(UnusableQuarantine, match=r'its file "format" (cannot be read|does not hold a number)'):
        Maildir(quarantine, floor=0).check(SystemClock().now())
    assert turfctl(config, "show", id).returncode == 0
    assert turfctl(config, "delete", "--yes", id).returncode == 1


def test_a_check_of_the_configuration_says_why(place: Path) -> None:
    quarantine, _ = reviewed(place)
    (quarantine / "format").write_text("9\n")
    done = run("-t", "-c", configured(place, f'[turf]\ndirectory = "{quarantine}"\ntables = ["@turf.example"]\n'))
    assert done.returncode == 78
    assert f"quarantine {quarantine}: {NEWER}" in done.stderr


def test_it_is_listed_shown_exported_and_verified(newer: tuple[Path, Path, str]) -> None:
    quarantine, config, id = newer
    before = tree(quarantine)
    (row,) = json.loads(turfctl(config, "list", "--json").stdout)
    assert (row["id"], row["recipients"], row["doubt"]) == (id, ["anna@example.org"], "")
    shown = turfctl(config, "show", "--mark", id)
    assert shown.returncode == 0
    assert "world" in shown.stdout
    assert f"not marked reviewed: quarantine {quarantine}: {NEWER}; nothing was changed" in shown.stderr
    assert turfctl(config, "export", id).returncode == 0
    assert turfctl(config, "verify").returncode == 0
    assert turfctl(config, "delete", "--dry-run", id).returncode == 0
    assert tree(quarantine) == before


@pytest.mark.parametrize("command", ["release", "delete", "undelete", "expire"])
def test_every_change_is_refused_with_the_reason(newer: tuple[Path, Path, str], command: str) -> None:
    quarantine, config, id = newer
    before = tree(quarantine)
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}\n[release]\nport = {hop.port}\n")
        done = turfctl(config, command, "--yes", *([id] if command != "expire" else []))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"turfctl: quarantine {quarantine}: {NEWER}; nothing was changed" in done.stderr
    assert hop.commands == []
    assert tree(quarantine) == before


def test_no_line_is_added_to_its_ledger(newer: tuple[Path, Path, str]) -> None:
    """Whoever writes: without the line nothing is done."""
    quarantine, _, id = newer
    line = Line("2026-03-01T12:30:05Z", "ada", 1000, "", "delete", "done", id)
    with OpenMaildir(quarantine) as maildir, pytest.raises(LedgerError, match=f"{NEWER}; nothing was changed"):
        Ledger(maildir.root).append(line)
    assert not (quarantine / "ledger").exists()


@pytest.mark.parametrize("too_old", [True, False])
def test_the_upkeep_changes_nothing_and_says_so(newer: tuple[Path, Path, str], too_old: bool) -> None:
    quarantine, config, id = newer
    config.write_text(f"{config.read_text()}\n[quarantine]\nmax_size = 10\n")
    if too_old:
        os.utime(quarantine / "new" / id, (1, 1))
    before = tree(quarantine)
    (sentence,) = look_after(load(config), {"started": "2026-03-01T00:00:00+00:00"}).warnings
    assert sentence == f"quarantine {quarantine}: {NEWER}; nothing was changed"
    assert tree(quarantine) == before


def test_a_single_message_of_a_newer_format_is_read_as_far_as_can_be(place: Path) -> None:
    quarantine, config = reviewed(place)
    id = hold(quarantine)
    path = quarantine / "new" / id
    data = path.read_bytes().replace(b"X-Quarantine-Seal: 2:", b"X-Quarantine-Tenant: a\r\nX-Quarantine-Seal: 9:")
    path.write_bytes(data)
    (row,) = json.loads(turfctl(config, "list", "--json").stdout)
    assert (row["sender"], row["recipients"], row["doubt"]) == ("spam@turf.example", ["anna@example.org"], NEWER)
    assert turfctl(config, "show", "--raw", id).stdout == MESSAGE.decode().replace("\r\n", "\n")
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}\n[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--force", id)
    assert done.returncode == 1
    assert NEWER in done.stderr
    assert hop.commands == []
