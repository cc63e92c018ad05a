"""The way down to a file: root follows a link only where nobody else can have put it."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.attacker import attacking
from rig.child import in_child
from turfmilter.config.descent import Strange, only_root_changes, open_directory, open_file, parent
from turfmilter.config.textfile import TextFileError, read_text

USER, OTHER = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
LINK = "a symbolic link in a directory that other users can change; name the real path"


@pytest.fixture(autouse=True)
def root() -> None:
    assert os.geteuid() == 0, "only root can give directories away: run these tests as root"


@pytest.fixture
def theirs(place: Path) -> Path:
    """A directory of the filter's user, beside a file of root's."""
    path = place / "theirs"
    path.mkdir()
    os.chown(path, USER.pw_uid, USER.pw_gid)
    (place / "secret").write_text("secret")
    (place / "secret").chmod(0o600)
    return path


def read(path: Path) -> str:
    with os.fdopen(open_file(path)) as file:
        return file.read()


def refused(path: Path) -> str:
    with pytest.raises(Strange) as wrong:
        open_file(path)
    assert wrong.value.filename == str(path)
    return str(wrong.value.strerror)


PLANTED: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "a link": (lambda path, secret: path.symlink_to(secret), LINK),
    "a relative link": (lambda path, _: path.symlink_to("../secret"), LINK),
    "a link to nothing": (lambda path, secret: path.symlink_to(secret.with_name("none")), LINK),
    "a link in a circle": (lambda path, _: path.symlink_to(path), LINK),
    "a second name": (
        lambda path, secret: path.hardlink_to(secret),
        "a file with a second name (hard link), in a directory that other users can change",
    ),
    "a pipe": (lambda path, _: os.mkfifo(path), "not a regular file"),
    "a device": (lambda path, _: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)), "not a regular file"),
    "a directory": (lambda path, _: path.mkdir(), "not a regular file"),
}


@pytest.mark.parametrize(("plant", "said"), PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize(
    ("owner", "mode"), [(USER.pw_uid, 0o755), (USER.pw_uid, 0o777), (0, 0o775), (0, 0o757), (0, 0o1777)]
)
def test_what_others_can_have_planted_is_not_read_by_root(
    theirs: Path, plant: Callable[[Path, Path], object], said: str, owner: int, mode: int
) -> None:
    theirs.chmod(mode)
    os.chown(theirs, owner, -1)
    plant(theirs / "file", theirs.parent / "secret")
    os.chown(theirs / "file", USER.pw_uid, -1, follow_symlinks=False)
    assert refused(theirs / "file") == said


@pytest.mark.parametrize("mode", [0o755, 0o1777], ids=oct)
def test_roots_own_link_in_roots_own_directory_is_followed(theirs: Path, mode: int) -> None:
    own = theirs.with_name("own")
    own.mkdir()
    own.chmod(mode)
    (own / "link").symlink_to("../secret")
    (own / "way").symlink_to(theirs.parent)
    assert read(own / "link") == read(own / "way" / "own" / "link") == read(own / "way" / "secret") == "secret"


def test_a_second_name_of_roots_own_in_a_directory_that_others_write_to_is_not_taken_for_roots(theirs: Path) -> None:
    """Where fs.protected_hardlinks is 0 others can make one, of a link as well."""
    (theirs.parent / "link").symlink_to("secret")
    theirs.chmod(0o1777)
    os.chown(theirs, 0, 0)
    (theirs / "file").hardlink_to(theirs.parent / "secret")
    os.link(theirs.parent / "link", theirs / "link", follow_symlinks=False)
    assert (
        refused(theirs / "file") == "a file with a second name (hard link), in a directory that other users can change"
    )
    assert refused(theirs / "link") == LINK


def test_a_link_on_the_way_is_judged_like_one_at_the_end(theirs: Path) -> None:
    (theirs / "inner").symlink_to("..")
    assert refused(theirs / "inner" / "secret") == LINK
    own = theirs.with_name("own")
    own.symlink_to("theirs/inner")
    assert refused(own / "secret") == LINK


def test_a_file_of_theirs_is_read(theirs: Path) -> None:
    (theirs / "file").write_text("table")
    os.chown(theirs / "file", USER.pw_uid, USER.pw_gid)
    assert read(theirs / "file") == read(theirs / ".." / "theirs" / "file") == "table"


def test_links_without_end_are_an_error(place: Path) -> None:
    (place / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_file(place / "circle")


def test_whoever_is_not_root_reads_what_links_lead_to(theirs: Path) -> None:
    (theirs / "link").symlink_to("real")
    (theirs / "real").write_text("table")

    def check() -> None:
        assert read(theirs / "link") == "table"
        os.mkfifo(theirs / "pipe")
        assert refused(theirs / "pipe") == "not a regular file"

    in_child(check, user=USER.pw_name)


def test_a_directory_is_reached_by_a_link_of_root_or_of_our_own(theirs: Path) -> None:
    (theirs / "inner").mkdir()
    (theirs / "link").symlink_to("inner")

    def check() -> None:
        os.close(open_directory(theirs / "link"))

    in_child(check, user=USER.pw_name)
    for user in ("", OTHER.pw_name):
        with pytest.raises(AssertionError):
            in_child(check, user=user)


def test_the_root_directory_is_a_directory() -> None:
    os.close(open_directory(Path("/")))
    with parent(Path("/")) as (_, name):
        assert name == "."


@pytest.mark.parametrize(
    ("mode", "owner", "alone"),
    [(0o755, 0, True), (0o1755, 0, True), (0o775, 0, False), (0o1777, 0, False), (0o755, USER.pw_uid, False)],
)
def test_whether_only_root_changes_a_directory(theirs: Path, mode: int, owner: int, alone: bool) -> None:
    theirs.chmod(mode)
    os.chown(theirs, owner, -1)
    assert only_root_changes(theirs) == alone
    (theirs / "inner").mkdir()
    assert only_root_changes(theirs / "inner") == (alone or bool(mode & stat.S_ISVTX))
    theirs.with_name("link").symlink_to(theirs)
    assert only_root_changes(theirs.with_name("link")) == alone
    assert not only_root_changes(theirs / "missing")


def test_a_file_that_is_exchanged_all_the_time_is_theirs_or_refused(theirs: Path) -> None:
    """Between the look and the opening."""
    path, secret = theirs / "file", theirs.parent / "secret"

    def strike() -> bool:
        for plant in (lambda: path.write_text("table"), lambda: path.symlink_to(secret), lambda: os.mkfifo(path)):
            plant()
            os.sched_yield()
            path.unlink()
        return True

    read_ones = 0
    with attacking(strike, user=USER.pw_name) as attacker:
        while attacker.strikes < 100 or not read_ones:
            try:
                text = read_text(path)
            except TextFileError:
                continue
            assert text in ("", "table")
            read_ones += 1


def test_a_second_name_that_comes_between_the_look_and_the_reading_is_not_read(theirs: Path) -> None:
    """Where fs.protected_hardlinks is off, whoever may not read a file can give it a name in a directory of his own."""
    path, other = theirs / "file", theirs / "other"
    path.write_text("table")
    other.hardlink_to(theirs.parent / "secret")

    def strike() -> bool:
        away = theirs / "away"
        path.rename(away)
        other.rename(path)
        path.rename(other)
        away.rename(path)
        return True

    read_ones = 0
    with attacking(strike, user=USER.pw_name) as attacker:
        while attacker.strikes < 20_000 or not read_ones:
            try:
                text = read_text(path)
            except TextFileError:
                continue
            assert text == "table"
            read_ones += 1
