"""turfctl while files are broken: it goes by the copy that the daemon starts from, and edits nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig import reviewer, wait
from rig.filter import USER, make_state, rewrite
from rig.nexthop import ScriptedNextHop
from rig.program import ENVIRONMENT
from rig.quarantine import command, hold, reviewed, turfctl
from rig.reviewer import KEYS, letters
from turfmilter.compose import keep_copy
from turfmilter.config.loader import load

TABLE = "@spam.example\n"


@pytest.fixture
def hop() -> Iterator[ScriptedNextHop]:
    with ScriptedNextHop() as running:
        yield running


@pytest.fixture
def config(place: Path, hop: ScriptedNextHop) -> Path:
    (place / "turf.table").write_text(TABLE)
    path = reviewed(place, 'tables = ["file:turf.table"]', more=f"[release]\nport = {hop.port}\n")[1]
    make_state(place / "state")
    if "state = " not in path.read_text():
        path.write_text(f'state = "{place}/state"\n{path.read_text()}')
    assert keep_copy(load(path)) == []
    if USER:
        shutil.chown(place / "state/last-good.json", USER)
    return path


def turf(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What turfctl turf says, and how it leaves."""
    done = command(config, "turf", *arguments)
    return subprocess.run(done, env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=False)


def table_broken(config: Path) -> None:
    rewrite(config.parent / "turf.table", TABLE + "nonsense\n")


def table_gone(config: Path) -> None:
    (config.parent / "turf.table").unlink()


def unknown_key(config: Path) -> None:
    rewrite(config, config.read_text().replace("[turf]\n", "[turf]\nnonsense = 1\n"))


def no_toml(config: Path) -> None:
    rewrite(config, f"{config.read_text()}[turf\n")


broken_keys = pytest.mark.parametrize("spoil", [unknown_key, no_toml], ids=lambda one: one.__name__)
broken_tables = pytest.mark.parametrize("spoil", [table_broken, table_gone], ids=lambda one: one.__name__)
every_fault = pytest.mark.parametrize(
    "spoil", [table_broken, table_gone, unknown_key, no_toml], ids=lambda one: one.__name__
)


@broken_tables
@pytest.mark.parametrize("user", [None, USER or None], ids=["root", "owner"])
@pytest.mark.parametrize("copy", [True, False], ids=["copy", "no-copy"])
def test_broken_tables_keep_nobody_from_reviewing_held_messages(
    config: Path, spoil: Callable[[Path], None], user: str | None, copy: bool
) -> None:
    id = hold(config.parent / "quarantine")
    config.chmod(0o644)
    spoil(config)
    if not copy:
        (config.parent / "state/last-good.json").unlink()
    commands = (
        ["list"],
        ["show", "--raw", id],
        ["stats"],
        ["verify"],
        ["digest", "--newer", "52w"],
        ["expire", "--dry-run"],
        ["export", id],
        ["release", "--dry-run", id],
        ["delete", id],
        ["undelete", id],
        ["release", id],
    )
    for arguments in commands:
        done = turfctl(config, *arguments, user=user)
        assert (done.returncode, "table" in done.stderr) == (0, False), (arguments, done.stderr)


@broken_tables
def test_a_message_is_shown_without_what_a_broken_table_would_tell(config: Path, spoil: Callable[[Path], None]) -> None:
    id = hold(config.parent / "quarantine", entry="@spam.example turf.table:1")
    before = turfctl(config, "show", id).stdout
    spoil(config)
    done = turfctl(config, "show", id)
    assert done.returncode == 0
    assert done.stdout == before.replace("@spam.example turf.table:1 (still there)", "@spam.example turf.table:1")
    assert done.stderr.startswith("turfctl: warning: tables are not read, because one is broken: ")
    assert "turf.table" in done.stderr


@every_fault
def test_messages_are_reviewed_one_by_one_while_files_are_broken(
    config: Path, spoil: Callable[[Path], None], hop: ScriptedNextHop
) -> None:
    first, second, third = letters(config.parent / "quarantine", 3)
    spoil(config)
    with reviewer.review(config) as terminal:
        terminal.shows("Message 1 of 3", first, "warning: ", KEYS)
        screen = terminal.press("a", first, "not released, as no exception can be added:", KEYS)
        assert "no table is edited while files are broken" in screen
        terminal.type("v")
        terminal.shows("queue id", "Its text.", "(any key goes back)")
        terminal.press(" ", first, KEYS)
        terminal.press("r", second, f"{first}: released", KEYS)
        terminal.press("d", third, f"{second}: deleted", KEYS)
        terminal.type("q")
        assert terminal.ends() == 0
    assert len(hop.messages) == 1


@broken_keys
@pytest.mark.parametrize("user", [None, USER or None], ids=["root", "owner"])
def test_held_messages_are_reviewed_by_the_copy_with_a_warning(
    config: Path, spoil: Callable[[Path], None], user: str | None
) -> None:
    id = hold(config.parent / "quarantine")
    config.chmod(0o644)
    spoil(config)
    done = turfctl(config, "list", user=user)
    assert (done.returncode, id in done.stdout) == (0, True)
    assert done.stderr.startswith("turfctl: warning: the files are broken; using the copy of 20")


@every_fault
def test_entries_are_looked_up_in_the_copy(config: Path, spoil: Callable[[Path], None]) -> None:
    spoil(config)
    for arguments in (["list"], ["check", "a@spam.example"]):
        done = turf(config, *arguments)
        assert (done.returncode, "@spam.example" in done.stdout) == (0, True)
        assert "the files are broken" in done.stderr


@every_fault
@pytest.mark.parametrize("edit", [["add", "@junk.example", "--yes"], ["remove", "@spam.example", "--yes"]])
def test_no_table_is_edited_until_the_files_are_fixed(
    config: Path, spoil: Callable[[Path], None], edit: list[str]
) -> None:
    spoil(config)
    table = config.parent / "turf.table"
    before = table.read_bytes() if table.exists() else None
    done = turf(config, *edit)
    assert done.returncode == 78
    assert done.stderr.startswith("turfctl: no table is edited while files are broken; fix this first:\n")
    assert (table.read_bytes() if table.exists() else None) == before


def test_nothing_is_released_together_with_an_edit_that_cannot_be_made(config: Path) -> None:
    id = hold(config.parent / "quarantine")
    table_broken(config)
    done = turfctl(config, "release", "--yes", "--and-allow", id)
    assert done.returncode == 78
    assert "no table is edited while files are broken" in done.stderr
    assert (config.parent / "quarantine/new" / id).exists()


def test_without_a_copy_the_problems_are_all_there_is_to_say(config: Path) -> None:
    table_broken(config)
    (config.parent / "state/last-good.json").unlink()
    done = turf(config, "list")
    assert done.returncode == 78
    assert [line.partition("turf.table:2")[1] for line in done.stderr.splitlines()] == ["turf.table:2"]


@pytest.mark.parametrize("plant", [Path.symlink_to, Path.hardlink_to])
def test_root_does_not_read_for_the_filters_user(config: Path, plant: Callable[[Path, Path], None]) -> None:
    assert os.geteuid() == 0, "only root could read what others cannot: run this test as root"
    kept, secret = config.parent / "state/last-good.json", config.parent / "secret"
    secret.write_text(kept.read_text())
    secret.chmod(0o600)
    kept.unlink()
    plant(kept, secret)
    unknown_key(config)
    done = turfctl(config, "list")
    assert done.returncode == 78
    assert "last-good.json: cannot be read" in done.stderr


def test_root_does_not_work_by_a_copy_of_its_own(config: Path) -> None:
    assert os.geteuid() == 0, "only root can have one: run this test as root"
    no_toml(config)
    shutil.chown(config.parent / "state", "root")
    done = turfctl(config, "list")
    assert done.returncode == 78
    assert "the files are broken" not in done.stderr
