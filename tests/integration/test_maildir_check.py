"""At start: a quarantine that cannot be used is refused with the command that mends it."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from turfmilter.core.held.room import UnusableQuarantine
from turfmilter.desk import SystemClock
from turfmilter.stores.maildir import Maildir
from turfmilter.stores.name import host_name

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def path() -> Iterator[Path]:
    """A sound quarantine, at a place that every user can reach."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        for part in ("tmp", "new", "cur"):
            (Path(directory) / "q" / part).mkdir(parents=True)
        yield Path(directory) / "q"


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may write everywhere: the effective user is an ordinary one for the test."""
    os.setegid(NOBODY.pw_gid)
    os.seteuid(NOBODY.pw_uid)
    yield
    os.seteuid(0)
    os.setegid(0)


def install(path: Path) -> str:
    user = pwd.getpwuid(os.geteuid()).pw_name
    group = grp.getgrgid(os.getegid()).gr_name
    return f"install -d -m 0750 -o {user} -g {group} {path} {path}/tmp {path}/new {path}/cur"


def complaint(path: Path) -> str:
    with pytest.raises(UnusableQuarantine) as refused:
        Maildir(path).check(SystemClock().now())
    return str(refused.value)


def run_as_root(command: str) -> None:
    user, group = os.geteuid(), os.getegid()
    os.seteuid(0)
    os.setegid(0)
    subprocess.run(["sh", "-ec", command], check=True)
    os.setegid(group)
    os.seteuid(user)


def test_a_sound_quarantine_passes_and_nothing_is_left_in_it(path: Path) -> None:
    Maildir(path).check(SystemClock().now())
    assert [p for p in path.rglob("*") if not p.is_dir()] == [path / "format"]


def only_ours(path: Path) -> str:
    return f"if {path} is for the quarantine alone"


def missing(path: Path) -> str:
    shutil.rmtree(path)
    return f"{path} does not exist; fix it with: {install(path)}"


def not_a_directory(path: Path) -> str:
    shutil.rmtree(path)
    path.touch()
    return f"{path} is not a directory; {only_ours(path)}, fix it with: mv {path} {path}.old && {install(path)}"


def not_a_maildir(path: Path) -> str:
    (path / "tmp").rmdir()
    return f"{path}/tmp does not exist; fix it with: {install(path)}"


def half_a_maildir(path: Path) -> str:
    (path / "cur").rmdir()
    return f"{path}/cur does not exist; fix it with: {install(path)}"


def a_file_in_the_way(path: Path) -> str:
    (path / "new").rmdir()
    (path / "new").touch()
    return f"{path}/new is not a directory; fix it with: mv {path}/new {path}/new.old && {install(path)}"


def a_symbolic_link(path: Path) -> str:
    (path / "new").rmdir()
    (path / "new").symlink_to(path / "cur")
    return f"{path}/new is a symbolic link; fix it with: mv {path}/new {path}/new.old && {install(path)}"


@pytest.mark.parametrize(
    "spoil", [missing, not_a_directory, not_a_maildir, half_a_maildir, a_file_in_the_way, a_symbolic_link]
)
def test_what_is_wrong_is_said_and_the_command_mends_it(path: Path, spoil: Callable[[Path], str]) -> None:
    said = spoil(path)
    assert complaint(path) == f"quarantine {path}: {said}"
    run_as_root(said.partition(" fix it with: ")[2])
    Maildir(path).check(SystemClock().now())


def with_other_files(path: Path) -> None:
    for part in path.iterdir():
        part.rmdir()
    (path / "anna").touch()


def of_another_user(path: Path) -> None:
    (path / "tmp").rmdir()
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize("spoil", [with_other_files, of_another_user])
def test_a_directory_that_may_be_somebody_elses_is_not_given_away_without_a_word(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    said = f"{path}/tmp does not exist; {only_ours(path)}, fix it with: {install(path)}"
    assert complaint(path) == f"quarantine {path}: {said}"


@pytest.mark.parametrize("part", ["tmp", "new"])
@pytest.mark.usefixtures("as_nobody")
def test_a_directory_that_is_not_writable_is_refused(path: Path, part: str) -> None:
    run_as_root(f"chmod 0755 {path} && chown nobody {path}/* && chown root {path}/{part} && chmod 0755 {path}/{part}")
    said = complaint(path)
    expected = rf"quarantine {path}: no message can be written \({path}/tmp/[-.\w]+: Permission denied\); fix it with: "
    assert re.fullmatch(expected + re.escape(install(path)), said)
    assert list((path / "tmp").iterdir()) == []
    run_as_root(said.partition(" fix it with: ")[2])
    Maildir(path).check(SystemClock().now())


@pytest.mark.usefixtures("as_nobody")
def test_a_directory_that_cannot_be_entered_is_refused(path: Path) -> None:
    run_as_root(f"chown root {path} && chmod 0700 {path}")
    said = complaint(path)
    assert said == f"quarantine {path}: {path}/tmp: Permission denied; {only_ours(path)}, fix it with: {install(path)}"
    run_as_root(said.partition(" fix it with: ")[2])
    Maildir(path).check(SystemClock().now())


def test_several_file_systems_are_refused(path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path / "new")], check=True)
    mounted = True
    try:
        said = complaint(path)
        mend = f"umount {path}/new && {install(path)}"
        assert said == f"quarantine {path}: {path}/new is on another file system; fix it with: {mend}"
        run_as_root(mend)
        mounted = False
    finally:
        if mounted:
            subprocess.run(["umount", str(path / "new")], check=True)
    Maildir(path).check(SystemClock().now())


def test_a_read_only_file_system_is_refused(path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)], check=True)
    try:
        run_as_root(f"{install(path)} && mount -o remount,ro {path}")
        said = complaint(path)
        mend = f"mount -o remount,rw {path}"
        assert said == f"quarantine {path}: the file system is read-only; fix it with: {mend}"
        run_as_root(mend)
        Maildir(path).check(SystemClock().now())
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_full_file_system_is_refused(path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=4", "tmpfs", str(path)], check=True)
    try:
        run_as_root(install(path))
        assert complaint(path).endswith(f"No space left on device); fix it with: df -h {path}; df -i {path}")
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_path_with_blanks_is_quoted_in_the_command(path: Path) -> None:
    blank = path / "put aside"
    run_as_root(complaint(blank).partition("; fix it with: ")[2])
    Maildir(blank).check(SystemClock().now())


def test_only_old_files_of_this_host_are_cleaned_away(path: Path) -> None:
    old = time.time() - 37 * 3600
    ours, theirs = f"000000-00000z.{host_name()}", f"000000-00000z.x{host_name()}"
    files = {ours: old, theirs: old, f"000000-000001.{host_name()}": old + 7200, f"other.{host_name()}": old, "x": old}
    for name, written in files.items():
        (path / "tmp" / name).touch()
        os.utime(path / "tmp" / name, (written, written))
    (path / "new" / "000000-00000z").touch()
    os.utime(path / "new" / "000000-00000z", (old, old))
    Maildir(path).clean(SystemClock().now())
    assert {p.name for p in (path / "tmp").iterdir()} == files.keys() - {ours}
    assert (path / "new" / "000000-00000z").exists()


def test_cleaning_leaves_what_cannot_be_removed(path: Path) -> None:
    stubborn = path / "tmp" / f"000000-00000z.{host_name()}"
    stubborn.mkdir()
    os.utime(stubborn, (0, 0))
    Maildir(path).clean(SystemClock().now())
    assert stubborn.exists()
