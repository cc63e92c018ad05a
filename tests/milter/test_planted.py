"""Files that the filter's user has replaced: root neither reads, writes nor gives away another file because of them.

The page docs/explanation/security.md lists the paths, and names these tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rig import wait
from rig.filter import USER, give, make_quarantine
from rig.planted import PLANTS, Plant, state
from rig.program import ENVIRONMENT, run, running
from rig.quarantine import ends, hold

SECRET = "@secret.example"
STRANGE = ("a symbolic link in a directory that other users", "a file with a second name", "not a regular file")
every_plant = pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)


class Host:
    """Everything that the configuration names is in a directory of the filter's user; `roots` is root's own."""

    def __init__(self, place: Path) -> None:
        self.theirs, self.roots = place / "theirs", place / "roots"
        self.theirs.mkdir()
        give(self.theirs)
        self.roots.mkdir(mode=0o700)
        self.secret = self.roots / "secret"
        # A table, a status and a list of Postfix at once, so that nothing but the way there can be wrong with it.
        self.secret.write_text(f"{SECRET}\n")
        self.secret.chmod(0o600)
        self.quarantine = make_quarantine(self.theirs / "quarantine")
        self.table = self.theirs / "turf.table"
        self.config = place / "turfmilter.toml"
        self.configure(self.config)
        self.write(self.table, "@turf.example\n")

    def configure(self, path: Path) -> None:
        self.write(
            path,
            f'socket = "unix:{self.theirs}/s"\nuser = "{USER}"\nstatus = "{self.theirs}/status.json"\n'
            f'domains = ["rig.test"]\n[turf]\ntables = ["file:{self.table}"]\ndirectory = "{self.quarantine}"\n'
            '[log]\nto = "stderr"\n',
        )

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)
        give(path)

    def plant(self, path: Path, plant: Plant) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        plant(path, self.secret)
        if plant is not PLANTS["a second name"]:
            os.chown(path, pwd.getpwnam(USER).pw_uid, -1, follow_symlinks=False)


@pytest.fixture
def host(place: Path) -> Host:
    assert os.geteuid() == 0, "only root can be led astray: run these tests as root"
    return Host(place)


def turfctl(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    start = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"
    line = [sys.executable, "-c", start, "-c", str(config), *words]
    return subprocess.run(
        line, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=wait.AMPLE, check=False
    )


@every_plant
def test_in_the_sockets_place_the_start_finds_it_taken(host: Host, plant: Plant) -> None:
    host.plant(host.theirs / "s", plant)
    before = state(host.roots), state(host.theirs / "s")
    done = run("-f", "-c", host.config)
    assert (done.returncode, "in use: " in done.stderr) == (69, True), done.stderr
    assert (state(host.roots), state(host.theirs / "s")) == before


@every_plant
@pytest.mark.parametrize("option", ["-f", "-t"])
def test_in_a_tables_place_the_start_reads_nothing_of_it(host: Host, plant: Plant, option: str) -> None:
    host.plant(host.table, plant)
    before = state(host.roots)
    done = run(option, "-c", host.config)
    assert done.returncode == 78
    assert any(f"{host.table}: {strange}" in done.stderr for strange in STRANGE), done.stderr
    assert (SECRET in done.stderr, state(host.roots)) == (False, before)


@every_plant
def test_in_the_configurations_place_the_start_reads_nothing_of_it(host: Host, plant: Plant) -> None:
    path = host.theirs / "turfmilter.toml"
    host.plant(path, plant)
    before = state(host.roots)
    done = run("-t", "-c", path)
    statuses, said = ends(path, [["quarantine", "list"], ["turf", "list"], ["turf", "add", "--yes", "@x.example"]])
    assert (done.returncode, statuses) == (78, [78, 78, 78])
    said += done.stderr
    assert sum(said.count(f"{path}: {strange}") for strange in STRANGE) == 4, said
    assert "secret" not in said
    assert state(host.roots) == before


@every_plant
def test_in_the_statuss_place_it_is_replaced_or_left_and_nothing_else_is_written(host: Host, plant: Plant) -> None:
    path = host.theirs / "status.json"
    host.plant(path, plant)
    secret = host.secret.read_text(), host.secret.stat().st_mode, host.secret.stat().st_uid
    directory = path.is_dir()
    with running(host.theirs, "-c", host.config):
        if directory:
            wait.until(lambda: "cannot be written: Is a directory" in (host.theirs / "log").read_text(), "a warning")
        else:
            wait.until(lambda: path.is_file() and not path.is_symlink() and '"pid"' in path.read_text(), "the status")
    assert (host.secret.read_text(), host.secret.stat().st_mode, host.secret.stat().st_uid) == secret
    assert [one.name for one in host.roots.iterdir()] == ["secret"]


@every_plant
def test_in_the_statuss_place_turfctl_shows_nothing_of_it(host: Host, plant: Plant) -> None:
    host.secret.write_text('{"pid": 1, "secret": "@secret.example"}')
    host.plant(host.theirs / "status.json", plant)
    before = state(host.roots)
    for options in ((), ("--json",)):
        done = turfctl(host.config, "status", *options)
        assert (done.returncode, "secret" in done.stdout + done.stderr) == (1, False)
    assert state(host.roots) == before


@every_plant
def test_in_the_configurations_place_turfctl_status_shows_nothing_of_it(host: Host, plant: Plant) -> None:
    path = host.theirs / "turfmilter.toml"
    host.secret.write_text('status = "/secret/place"\nstate = "/secret/state"\n[turf\n')
    host.plant(path, plant)
    before = state(host.roots)
    for options in ((), ("--check",)):
        done = turfctl(path, "status", *options)
        assert (done.returncode > 0, "secret" in done.stdout + done.stderr) == (True, False)
    assert state(host.roots) == before


@every_plant
def test_in_the_quarantines_place_the_start_is_refused(host: Host, plant: Plant) -> None:
    host.plant(host.quarantine, plant)
    before = state(host.roots)
    done = run("-f", "-c", host.config)
    assert (done.returncode, f"quarantine {host.quarantine}: " in done.stderr) == (78, True), done.stderr
    assert ends(host.config, [["quarantine", "list"], ["quarantine", "expire", "--yes"]])[0] == [78, 78]
    assert state(host.roots) == before


@pytest.mark.parametrize("part", ["tmp", "new", "cur"])
def test_a_link_to_a_directory_in_the_place_of_a_part_of_the_quarantine_is_refused(host: Host, part: str) -> None:
    (host.quarantine / part).rmdir()
    (host.quarantine / part).symlink_to(host.roots)
    before = state(host.roots)
    done = run("-f", "-c", host.config)
    assert (done.returncode, f"{host.quarantine / part} is a symbolic link" in done.stderr) == (78, True), done.stderr
    assert ends(host.config, [["quarantine", "list"], ["quarantine", "expire", "--yes"]])[0] == [78, 78]
    assert state(host.roots) == before


@every_plant
@pytest.mark.parametrize("name", ["ledger", ".index", "full"])
def test_beside_the_messages_turfctl_neither_reads_nor_writes_another_file(host: Host, plant: Plant, name: str) -> None:
    id = hold(host.quarantine)
    host.plant(host.quarantine / name, plant)
    before = [(path, numbers[:4], content) for path, numbers, content in state(host.roots)]
    commands = (["list"], ["show", id], ["delete", "--yes", id], ["verify"], ["expire", "--yes"])
    statuses, said = ends(host.config, [["quarantine", *words] for words in commands])
    assert (len(statuses), set(statuses) <= {0, 1}, "secret" in said) == (5, True, False), said
    # A second name that is taken away changes the number of names, and no more.
    assert [(path, numbers[:4], content) for path, numbers, content in state(host.roots)] == before


@every_plant
def test_in_a_tables_place_turfctl_neither_reads_nor_writes_it(host: Host, plant: Plant) -> None:
    host.plant(host.table, plant)
    before = state(host.roots), sorted(path.name for path in host.theirs.iterdir())
    changes = (
        ["turf", "add", "--yes", "@new.example"],
        ["turf", "add", "--yes", "--table", "turf.table", "@new.example"],
        ["turf", "remove", "--yes", "@turf.example"],
    )
    statuses, said = ends(host.config, changes)
    for look in (["turf", "list"], ["turf", "check", "x@turf.example"]):  # root becomes the filter's user in each
        status, words = ends(host.config, [look])
        statuses, said = statuses + status, said + words
    assert (statuses, SECRET in said) == ([78] * 5, False), said
    assert sum(said.count(strange) for strange in STRANGE) == 5, said
    assert (state(host.roots), sorted(path.name for path in host.theirs.iterdir())) == before


class TestAnotherUsersMaildir:
    """turfctl is started by root while the path of the quarantine leads to another user's mail."""

    @pytest.fixture
    def anna(self, place: Path) -> Path:
        """A Maildir of a person, here the user daemon, with a message in it."""
        path = place / "anna" / "Maildir"
        path.parent.mkdir()
        make_quarantine(path)
        hold(path)
        for one in (path.parent, path, *path.rglob("*")):
            os.chown(one, pwd.getpwnam("daemon").pw_uid, -1)
        path.chmod(0o755)
        for one in path.iterdir():
            one.chmod(0o755)
        return path

    def refused(self, host: Host, anna: Path) -> str:
        """What turfctl says to commands that change, none of which changes anything there."""
        before = state(anna)
        id = next((anna / "new").iterdir()).name
        (said,) = {self.said(host, *words) for words in (["show", id], ["delete", "--yes", id])}
        assert state(anna) == before
        return said

    def said(self, host: Host, *words: str) -> str:
        done = turfctl(host.config, "quarantine", *words)
        assert (done.returncode, done.stdout) == (78, "")
        return done.stderr

    def test_by_a_link(self, host: Host, anna: Path) -> None:
        shutil.rmtree(host.quarantine)
        host.quarantine.symlink_to(anna)
        uid = pwd.getpwnam("daemon").pw_uid
        wrong = f"belongs to the uid {uid}, and not to the filter's user {USER}"
        assert self.refused(host, anna) == (
            f"turfctl: quarantine {host.quarantine}: {wrong}; see user in the configuration\n"
        )

    def test_by_a_link_above_it(self, host: Host, anna: Path) -> None:
        host.write(host.config, host.config.read_text().replace(str(host.quarantine), f"{host.theirs}/way/Maildir"))
        (host.theirs / "way").symlink_to(anna.parent)
        assert "belongs to the uid" in self.refused(host, anna)

    def test_as_the_directory_itself(self, host: Host, anna: Path) -> None:
        host.write(host.config, host.config.read_text().replace(str(host.quarantine), str(anna)))
        assert "belongs to the uid" in self.refused(host, anna)

    def test_by_links_in_the_place_of_its_parts(self, host: Host, anna: Path) -> None:
        for part in ("new", "cur"):
            (host.quarantine / part).rmdir()
            (host.quarantine / part).symlink_to(anna / part)
        assert "Not a directory" in self.refused(host, anna)

    def test_a_person_of_the_filters_group_is_not_led_to_the_own_mail(self, host: Host, anna: Path) -> None:
        """Without becoming anybody: what links lead to would be opened with the person's own rights."""
        shutil.rmtree(host.quarantine)
        host.quarantine.symlink_to(anna)
        before = state(anna)
        id = next((anna / "new").iterdir()).name
        start = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"
        line = [sys.executable, "-c", start, "-c", str(host.config), "quarantine", "delete", "--yes", id]
        person = ["setpriv", "--reuid", "daemon", "--clear-groups", "--inh-caps", "+dac_read_search"]
        line = [*person, "--ambient-caps", "+dac_read_search", *line]
        done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=False)
        assert (done.returncode, "a symbolic link in a directory that other users" in done.stderr) == (78, True)
        assert state(anna) == before

    def test_the_filters_own_link_to_the_filters_own_directory_is_followed(self, host: Host, place: Path) -> None:
        host.quarantine.rename(place / "elsewhere")
        host.quarantine.symlink_to(place / "elsewhere")
        assert turfctl(host.config, "quarantine", "verify").returncode == 0
        assert run("-t", "-c", host.config).returncode == 0
