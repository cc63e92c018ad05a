"""turfctl wherever it is started: a terminal without a name, no passwd entry, closed streams, no environment."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from rig import wait
from rig.filter import USER, give
from rig.program import ENVIRONMENT
from rig.quarantine import hold, reviewed
from rig.terminal import printed

COMMANDS = [
    ["quarantine", "list"],
    ["quarantine", "show", "{id}"],
    ["quarantine", "delete", "--yes", "{id}"],
    ["quarantine", "verify"],
    ["quarantine", "stats"],
    ["quarantine", "digest"],
    ["turf", "list"],
    ["turf", "check", "a@turf.example"],
    ["turf", "add", "--yes", "@other.example"],
]
every_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
# Another instance of /dev/pts, as inside a container: the terminal that is there already has no name in it.
ELSEWHERE = ["unshare", "--mount", "sh", "-c", 'mount -t devpts devpts /dev/pts && exec "$@"', "sh"]
START = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"


@pytest.fixture(autouse=True)
def root() -> None:
    assert os.geteuid() == 0, "namespaces and other users take root: run these tests as root"


@pytest.fixture
def config(place: Path) -> Path:
    give(place)
    (place / "turf.table").write_text("@turf.example\n")
    give(place / "turf.table")
    return reviewed(place, 'tables = ["file:turf.table"]')[1]


def command(config: Path, words: list[str]) -> list[str]:
    """The command line; "{id}" is a message that was just held."""
    id = hold(config.parent / "quarantine")
    return [sys.executable, "-c", START, "-c", str(config), *(word.format(id=id) for word in words)]


def ledger(config: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (config.parent / "quarantine/ledger").read_text().splitlines()]


def on_terminal(line: list[str], **environment: str) -> tuple[int, str]:
    """The exit status, and what was shown."""
    seen, status = printed(line, environment or ENVIRONMENT)
    return status, seen.decode()


@every_command
def test_a_terminal_without_a_name_is_a_terminal(config: Path, words: list[str]) -> None:
    status, seen = on_terminal([*ELSEWHERE, *command(config, words)])
    assert (status, "Traceback" in seen) == (0, False), seen


def test_a_terminal_without_a_name_is_left_out_of_the_ledger(config: Path) -> None:
    status, seen = on_terminal([*ELSEWHERE, *command(config, ["quarantine", "delete", "--yes", "{id}"])])
    assert status == 0, seen
    assert [(line["who"], line["origin"]) for line in ledger(config)] == [("root", "")] * len(ledger(config))


def test_a_terminal_with_a_name_is_in_the_ledger(config: Path) -> None:
    status, seen = on_terminal(command(config, ["quarantine", "delete", "--yes", "{id}"]))
    assert status == 0, seen
    assert {str(line["origin"])[:9] for line in ledger(config)} == {"/dev/pts/"}


@every_command
def test_without_any_environment_nothing_is_missed(config: Path, words: list[str]) -> None:
    path = {"PYTHONPATH": ENVIRONMENT["PYTHONPATH"]}
    status, seen = on_terminal(command(config, words), **path)
    assert (status, "Traceback" in seen) == (0, False), seen


@every_command
@pytest.mark.parametrize("closed", ["<&-", "<&- 2>&-"])
def test_a_stream_that_is_closed_is_missed_by_no_command(config: Path, words: list[str], closed: str) -> None:
    line = ["sh", "-c", f'exec "$@" {closed}', "sh", *command(config, words)]
    done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@every_command
def test_without_standard_output_nothing_is_done_and_it_is_said(config: Path, words: list[str]) -> None:
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *command(config, words)]
    before = [*(config.parent / "quarantine/new").iterdir()], (config.parent / "turf.table").read_text()
    done = subprocess.run(line, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, timeout=wait.AMPLE, check=False)
    said = "turfctl: standard output is closed, so that nothing can be shown; nothing was done\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert ([*(config.parent / "quarantine/new").iterdir()], (config.parent / "turf.table").read_text()) == before


def test_who_is_to_be_asked_without_standard_input_is_told_of_yes(config: Path) -> None:
    hold(config.parent / "quarantine")
    line = ["sh", "-c", 'exec "$@" <&-', "sh", *command(config, ["delete", "--rule", "turf"])]
    done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=False)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "Traceback" not in done.stderr


@every_command
def test_whoever_has_no_passwd_entry_goes_by_a_number(config: Path, words: list[str]) -> None:
    """As in a container that is given any uid."""
    uid = 54321
    for path in (config.parent, *config.parent.rglob("*")):
        os.chown(path, uid, uid)
    line = command(config, words)
    for path in config.parent.rglob("*"):
        os.chown(path, uid, uid)
    caps = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    other = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *caps]
    done = subprocess.run(
        [*other, *line], env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    if "delete" in words:
        assert {line["who"] for line in ledger(config)} == {str(uid)}


def test_root_becomes_the_filters_user_whoever_the_terminal_belongs_to(config: Path) -> None:
    on_terminal([*ELSEWHERE, *command(config, ["quarantine", "list"])])
    assert (config.parent / "quarantine/.index").stat().st_uid == pwd.getpwnam(USER).pw_uid
