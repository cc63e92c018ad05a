"""`turfmilter --init DIR`: what it writes, what it leaves alone, and that it is enough to start."""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.stockhost import CONTRIB, run
from rig.golden import Golden
from rig.link import accepts
from rig.machine import own_machine
from rig.server import Program


@pytest.fixture
def machine(place: Path) -> Iterator[Path]:
    """A machine of its own, without the filter's user; a directory on it."""
    with own_machine(place):
        subprocess.run(["userdel", "turfmilter"], capture_output=True, check=False)
        yield place


def initialise(directory: Path, status: int = 0) -> str:
    """What the program prints."""
    done = subprocess.run(["turfmilter", "--init", directory], capture_output=True, text=True, check=False)
    assert done.returncode == status, done
    return done.stdout + done.stderr


def test_root_is_told_to_create_the_user_first(machine: Path, golden: Golden) -> None:
    golden("command_line", initialise(machine / "mail", 78))
    assert not (machine / "mail").exists()


def test_after_the_domains_are_set_it_starts_with_the_commands_that_are_printed(machine: Path, golden: Golden) -> None:
    run("systemd-sysusers", CONTRIB / "systemd/sysusers.conf")
    directory = machine / "mail"
    said = initialise(directory)
    golden("command_line", said, {str(machine): "DIR"})
    config = directory / "turfmilter.toml"
    config.write_text(config.read_text().replace("domains = []", 'domains = ["example.org"]'))
    check, start, status = (line.split() for line in said.splitlines() if line.startswith("  "))
    run(*check)
    socket = f"unix:{directory}/run/turfmilter.sock"
    with Program([*start, "-f"], machine / "log", lambda: accepts(socket) and (directory / "run/status.json").exists()):
        assert f"socket       {socket}" in run(*status)
    owner = pwd.getpwnam("turfmilter").pw_uid
    owners = {str(path.relative_to(directory)): path.stat().st_uid for path in directory.glob("*")}
    assert owners == {"turfmilter.toml": 0, "turf.table": 0, "run": owner, "state": owner, "quarantine": owner}


def test_nothing_that_exists_is_changed(machine: Path, golden: Golden) -> None:
    run("systemd-sysusers", CONTRIB / "systemd/sysusers.conf")
    directory = machine / "mail"
    (directory / "quarantine").mkdir(parents=True)
    (directory / "turf.table").write_text("@spam.example\n")
    (directory / "turfmilter.toml").symlink_to(machine / "elsewhere")
    golden("command_line", initialise(directory), {str(machine): "DIR"})
    assert (directory / "turf.table").read_text() == "@spam.example\n"
    assert list((directory / "quarantine").iterdir()) == []
    assert (directory / "quarantine").stat().st_uid == 0
    assert not (machine / "elsewhere").exists()


def test_a_directory_that_cannot_be_written_is_named(machine: Path, golden: Golden) -> None:
    run("systemd-sysusers", CONTRIB / "systemd/sysusers.conf")
    (machine / "file").touch()
    golden("command_line", initialise(machine / "file/mail", 78), {str(machine): "DIR"})
