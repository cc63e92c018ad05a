"""A start with broken files: from the copy of what was in force last, loudly, and never with more rights for it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig import proc, wait
from rig.filter import USER, Filter, rewrite
from rig.process import ProcessEnded
from rig.program import configured, run, running, serves

TURF = """
domains = ["rig.test", "postfix:relay_domains", "sendmail:local-host-names"]
[turf]
tables = ["file:turf.table"]
directory = "{quarantine}"
"""
BROKEN = "@new.test\nnonsense\n"
ALARM = "ALARM: started from the copy of the generation of "


def holds(turf: Filter, domain: str) -> bool:
    with turf.session() as client:
        return str(client.message(f"<spam@{domain}>", ["<b@rig.test>"]).end) == "discard"


@pytest.fixture
def turf(place: Path) -> Iterator[Filter]:
    """One that has run with good files, and was stopped."""
    (place / "turf.table").write_text("@old.test\n")
    (place / "relay_domains").write_text("relayed.test\n")
    (place / "local-host-names").write_text("local.test\n")
    turf = Filter(place, TURF)
    with turf:
        assert holds(turf, "old.test")
    yield turf
    turf.daemon.stop()


def table_broken(place: Path) -> None:
    rewrite(place / "turf.table", BROKEN)


def table_gone(place: Path) -> None:
    (place / "turf.table").unlink()


def mta_file_gone(place: Path) -> None:
    (place / "relay_domains").unlink()


def all_tables_gone(place: Path) -> None:
    for name in ("turf.table", "relay_domains", "local-host-names"):
        (place / name).unlink()


def unknown_key(place: Path) -> None:
    path = place / "turfmilter.toml"
    rewrite(path, path.read_text().replace("[turf]\n", "[turf]\nnonsense = 1\n"))


def contradiction(place: Path) -> None:
    path = place / "turfmilter.toml"
    rewrite(path, path.read_text().replace("[turf]\n", "[turf]\ndiscard = true\n"))


def no_domains(place: Path) -> None:
    path = place / "turfmilter.toml"
    rewrite(path, "".join(line for line in path.read_text().splitlines(True) if not line.startswith("domains")))


HALF_BROKEN = [table_broken, table_gone, mta_file_gone, all_tables_gone, unknown_key, contradiction, no_domains]


def no_toml(place: Path) -> None:
    path = place / "turfmilter.toml"
    rewrite(path, f"{path.read_text()}[turf\n")


def not_utf8(place: Path) -> None:
    path = place / "turfmilter.toml"
    path.write_bytes(path.read_bytes() + b"# \xff\n")


def empty(place: Path) -> None:
    rewrite(place / "turfmilter.toml", "")


@pytest.mark.parametrize("spoil", HALF_BROKEN)
def test_it_starts_from_the_copy_and_raises_an_alarm(turf: Filter, place: Path, spoil: Callable[[Path], None]) -> None:
    spoil(place)
    with turf:
        assert holds(turf, "old.test")
        assert not holds(turf, "new.test")
        turf.daemon.wait_for_log(ALARM)
        seen = turf.wait_for_status(bool)
        assert seen["copy_since"].startswith("20")
        assert seen["broken"]
        assert seen["problems"][0]["problem"].startswith(ALARM)
        assert "turfmilter: warning: the files are broken; starting from the copy" in turf.daemon.log()


def test_when_the_files_are_fixed_they_are_loaded_and_the_alarm_ends(turf: Filter, place: Path) -> None:
    table_broken(place)
    with turf:
        turf.wait_for_status(lambda seen: seen["copy_since"])
        rewrite(place / "turf.table", "@new.test\n")
        assert turf.wait_for_generation(2) == "turf +1 -1"
        assert holds(turf, "new.test")
        seen = turf.wait_for_status(lambda seen: seen["generation"] == 2)
        assert (seen["copy_since"], seen["broken"], seen["problems"]) == ("", [], [])
        wait.until(lambda: "@new.test" in turf.kept.read_text(), "the next copy")


def test_a_missing_file_is_loaded_when_it_appears(turf: Filter, place: Path) -> None:
    table_gone(place)
    with turf:
        turf.wait_for_status(lambda seen: seen["copy_since"])
        rewrite(place / "turf.table", "@new.test\n")
        assert turf.wait_for_generation(2) == "turf +1 -1"


def test_files_that_are_still_broken_leave_it_with_the_copy(turf: Filter, place: Path) -> None:
    table_broken(place)
    before = turf.kept.read_bytes()
    with turf:
        rewrite(place / "turf.table", "other nonsense\n")
        turf.daemon.wait_for_log("generation 1 stays in force: turf.table:1: ")
        seen = turf.wait_for_status(lambda seen: seen["reloads_failed"])
        assert seen["copy_since"]
        assert ["turf.table:1" in problem for problem in seen["broken"]] == [True]
        assert holds(turf, "old.test")
    with turf:  # and once more
        assert turf.wait_for_status(bool)["copy_since"] == seen["copy_since"]
    assert turf.kept.read_bytes() == before


def refused(turf: Filter) -> str:
    """The output of a start that fails."""
    with pytest.raises(ProcessEnded) as ended:
        turf.start()
    assert ended.value.status == 78
    assert not turf.socket.exists()
    return str(ended.value)


def test_strict_is_not_to_start_from_a_copy(turf: Filter, place: Path) -> None:
    table_broken(place)
    done = run("-f", "--strict", "-c", turf.config)
    assert (done.returncode, done.stderr) == (78, run("-t", "-c", turf.config).stderr)
    assert "turf.table:2: " in done.stderr


def test_without_a_copy_it_does_not_start(turf: Filter, place: Path) -> None:
    table_broken(place)
    turf.kept.unlink()
    assert "turf.table:2: " in refused(turf)


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_text("{"), lambda path: path.chmod(0)], ids=["half", "closed"]
)
def test_with_a_copy_that_cannot_be_read_it_does_not_start(
    turf: Filter, place: Path, damage: Callable[[Path], object]
) -> None:
    table_broken(place)
    damage(turf.kept)
    said = refused(turf)
    assert "turf.table:2: " in said
    assert str(turf.kept) in said


def test_with_a_copy_that_this_version_refuses_it_does_not_start(turf: Filter, place: Path) -> None:
    table_broken(place)
    copy = json.loads(turf.kept.read_text())
    copy["texts"][str(turf.config)] = "nonsense = 1\n"
    turf.kept.write_text(json.dumps(copy))
    assert "cannot be used: nonsense: unknown key" in refused(turf)


@pytest.mark.parametrize("spoil", [no_toml, not_utf8, empty], ids=lambda one: one.__name__)
def test_root_does_not_start_where_its_own_keys_cannot_be_read(
    turf: Filter, place: Path, spoil: Callable[[Path], None]
) -> None:
    assert os.geteuid() == 0, "only root reads keys as root: run this test as root"
    spoil(place)
    refused(turf)


@pytest.mark.parametrize(
    ("key", "broken"),
    [
        ("socket", 'socket = "nonsense"'),
        ("user", 'user = "no-such-user"'),
        ("user", 'user = "root"'),
        ("status", 'status = "relative"'),
        ("socket", 'socket_mode = "banana"'),
        ("socket", 'socket_group = "no-such-group"'),
        ("socket", 'sokcet = "unix:/nowhere"'),
        ("user", 'usr = "turfmilter"'),
    ],
)
def test_root_uses_none_of_its_keys_from_the_copy(turf: Filter, key: str, broken: str) -> None:
    assert os.geteuid() == 0, "only root reads keys as root: run this test as root"
    lines = turf.config.read_text().splitlines()
    rewrite(turf.config, "\n".join([broken, *(line for line in lines if not line.startswith(f"{key} = "))]) + "\n")
    refused(turf)


def test_a_copy_changed_by_the_filters_user_gives_it_no_rights_of_root(turf: Filter, place: Path) -> None:
    assert os.geteuid() == 0, "only root has rights to give: run this test as root"
    table_broken(place)
    (place / "roots").mkdir(mode=0o700)
    copy = json.loads(turf.kept.read_text())
    text = copy["texts"][str(turf.config)]
    evil = f'socket = "unix:{place}/roots/s"\nsocket_mode = "0666"\nuser = "daemon"\nstatus = "{place}/roots/status"\n'
    lines = (line for line in text.splitlines() if not line.startswith(("socket", "user", "status")))
    copy["texts"][str(turf.config)] = evil + "\n".join(lines) + "\n"
    turf.kept.write_text(json.dumps(copy))
    with turf:
        assert holds(turf, "old.test")
        assert turf.wait_for_status(bool)["copy_since"]
        assert turf.socket.stat().st_mode & 0o777 == 0o660
        owners = proc.each(turf.daemon.process.pids(), Path.owner)
        assert set(owners.values()) == {USER}
        assert list((place / "roots").iterdir()) == []


def test_root_reads_the_copy_as_the_filters_user_and_through_no_link(turf: Filter, place: Path) -> None:
    assert os.geteuid() == 0, "only root could read what others cannot: run this test as root"
    table_broken(place)
    secret = place / "secret"
    shutil.move(turf.kept, secret)
    os.chown(secret, 0, 0)
    secret.chmod(0o600)
    turf.kept.symlink_to(secret)
    assert "cannot be read" in refused(turf)
    turf.kept.unlink()
    os.link(secret, turf.kept)
    assert "cannot be read: Permission denied" in refused(turf)


@pytest.mark.parametrize("spoil", [*HALF_BROKEN, no_toml, not_utf8], ids=lambda one: one.__name__)
def test_started_by_its_user_it_uses_everything_from_the_copy(place: Path, spoil: Callable[[Path], None]) -> None:
    (place / "turf.table").write_text("@old.test\n")
    (place / "relay_domains").write_text("relayed.test\n")
    (place / "local-host-names").write_text("local.test\n")
    path = configured(place, '[turf]\ntables = ["file:turf.table"]\ndiscard = true\n')
    path.write_text(
        path.read_text().replace('["rig.test"]', '["rig.test", "postfix:relay_domains", "sendmail:local-host-names"]')
    )
    path.chmod(0o644)
    kept = place / "state/last-good.json"
    with running(place, "-c", path, user=USER or None):
        wait.until(kept.exists, "the copy")
    spoil(place)
    with running(place, "-c", path, user=USER or None):
        assert serves(place / "s")
        assert ALARM in (place / "log").read_text()


@pytest.mark.parametrize("prepare", [shutil.rmtree, lambda path: path.chmod(0o500)], ids=["missing", "closed"])
def test_without_a_place_for_the_copy_it_serves_and_warns(place: Path, prepare: Callable[[Path], object]) -> None:
    path = configured(place)
    prepare(place / "state")
    with running(place, "-c", path, user=USER or None):
        wait.until(
            lambda: "cannot save a copy, so a start with broken files would fail: " in (place / "log").read_text(),
            "the warning",
        )
        assert serves(place / "s")


def test_where_none_is_wanted_none_is_kept(place: Path) -> None:
    path = configured(place)
    path.write_text(path.read_text().replace(f'state = "{place}/state"', 'state = ""'))
    with running(place, "-c", path):
        assert serves(place / "s")
        wait.until((place / "status.json").exists, "its status")
    assert list((place / "state").iterdir()) == []
    assert "copy" not in (place / "log").read_text()


def test_with_good_files_the_copy_is_not_looked_at(turf: Filter, place: Path) -> None:
    turf.kept.write_text("{")
    rewrite(place / "turf.table", "@new.test\n")
    with turf:
        assert holds(turf, "new.test")
        assert turf.wait_for_status(bool)["copy_since"] == ""
        wait.until(lambda: "@new.test" in turf.kept.read_text(), "the copy")


def test_a_generation_that_never_served_is_not_kept(turf: Filter, place: Path) -> None:
    turf.kept.unlink()
    with turf:
        before = turf.kept.read_bytes()
        rewrite(place / "turf.table", BROKEN)
        turf.daemon.wait_for_log("generation 1 stays in force: ")
        assert turf.kept.read_bytes() == before
