"""Root makes the socket in a directory of the filter's user: nothing that is planted there leads root elsewhere."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.attacker import attacking, exchange, exchange_directory
from turfmilter.config.socketspec import SocketSpec
from turfmilter.daemon.listener import MilterSocket, SocketError
from turfmilter.daemon.reach import Access

USER = pwd.getpwnam("nobody")
# A daemon that changes owner and mode by name loses within the first few starts.
STRIKES = 10


@pytest.fixture(autouse=True)
def root() -> None:
    assert os.geteuid() == 0, "only root can give files away: run these tests as root"


@pytest.fixture
def theirs(place: Path) -> Path:
    """The directory of the filter's user, in which the socket is to be."""
    path = place / "theirs"
    path.mkdir()
    os.chown(path, USER.pw_uid, USER.pw_gid)
    return path


@pytest.fixture
def roots(place: Path) -> Path:
    """A directory of root with a file and with a socket that nobody serves any more."""
    path = place / "roots"
    path.mkdir()
    (path / "file").write_text("root's")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path / "s"))
    for one in path.iterdir():
        one.chmod(0o600)
    return path


def state(directory: Path) -> list[tuple[str, int, int, int, int, int]]:
    """All that root could have changed about what is in there."""
    found = ((path.name, path.lstat()) for path in sorted(directory.iterdir()))
    return [(name, one.st_ino, one.st_mode, one.st_uid, one.st_gid, one.st_nlink) for name, one in found]


def start(path: Path, mode: int = 0o666) -> MilterSocket:
    """As the program does it when it was started by root."""
    return MilterSocket(SocketSpec.parse(f"unix:{path}"), mode, "mail", USER.pw_name)


def start_and_stop(path: Path) -> None:
    try:
        start(path).close()
    except SocketError:
        path.unlink(missing_ok=True)  # what the attacker has left there


def test_a_name_that_is_exchanged_all_the_time_gives_away_nothing_of_root(theirs: Path, roots: Path) -> None:
    before = state(roots)
    with attacking(lambda: exchange(theirs / "s", roots / "file"), user=USER.pw_name) as attacker:
        while attacker.strikes < STRIKES:
            start_and_stop(theirs / "s")
            assert state(roots) == before


def test_a_directory_that_is_exchanged_all_the_time_leads_nowhere(theirs: Path, roots: Path) -> None:
    inner = theirs / "inner"
    inner.mkdir()
    os.chown(inner, USER.pw_uid, USER.pw_gid)
    before = state(roots)
    with attacking(lambda: exchange_directory(inner, roots), user=USER.pw_name) as attacker:
        while attacker.strikes < 10 * STRIKES:
            try:
                start(inner / "s").close()
            except SocketError:
                continue
            finally:
                assert state(roots) == before


PLANTED: dict[str, Callable[[Path, Path], object]] = {
    "a link to a file": lambda path, roots: path.symlink_to(roots / "file"),
    "a link to a socket that nobody serves": lambda path, roots: path.symlink_to(roots / "s"),
    "a link to nothing": lambda path, roots: path.symlink_to(roots / "new"),
    "a link to a directory": lambda path, roots: path.symlink_to(roots),
    "a second name of a file": lambda path, roots: path.hardlink_to(roots / "file"),
    "a second name of a socket that nobody serves": lambda path, roots: path.hardlink_to(roots / "s"),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a device": lambda path, _: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)),
    "a directory": lambda path, _: path.mkdir(),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_planted_in_the_sockets_place_is_refused(
    theirs: Path, roots: Path, plant: Callable[[Path, Path], object]
) -> None:
    plant(theirs / "s", roots)
    before = state(roots), state(theirs)
    with pytest.raises(
        SocketError, match=r"in use: another filter listens on this socket, or another file has this name$"
    ):
        start(theirs / "s")
    assert (state(roots), state(theirs)) == before


@pytest.mark.parametrize("target", ["roots", "roots/s"])
def test_a_planted_directory_leads_nowhere(place: Path, theirs: Path, roots: Path, target: str) -> None:
    (theirs / "inner").symlink_to(place / target)
    before = state(roots)
    with pytest.raises(SocketError, match=r"Permission denied|Not a directory$"):
        start(theirs / "inner" / "s2")
    assert state(roots) == before


def test_a_socket_exchanged_before_it_is_removed_stays(theirs: Path, roots: Path) -> None:
    """The path leads to a socket of root's when the program stops."""
    (theirs / "inner").mkdir()
    os.chown(theirs / "inner", USER.pw_uid, USER.pw_gid)
    listener = start(theirs / "inner" / "s")
    (theirs / "inner").rename(theirs / "away")
    (theirs / "inner").symlink_to(roots)
    (roots / "s").unlink()
    (roots / "s").hardlink_to(theirs / "away" / "s")  # the very inode that it looks for
    before = state(roots)
    listener.close()
    assert state(roots) == before


def test_a_link_of_roots_own_on_the_way_is_followed(place: Path, theirs: Path) -> None:
    (place / "run").symlink_to(theirs)
    listener = start(place / "run" / "s", 0o660)
    found = (theirs / "s").stat()
    listener.close()
    assert (found.st_uid, found.st_gid) == (USER.pw_uid, grp.getgrnam("mail").gr_gid)
    assert stat.S_IMODE(found.st_mode) == 0o660


def test_where_only_root_can_write_root_makes_it_and_gives_it_away(place: Path) -> None:
    listener = start(place / "s", 0o660)
    found = (place / "s").stat()
    listener.close()
    assert (found.st_uid, found.st_gid) == (USER.pw_uid, grp.getgrnam("mail").gr_gid)
    assert not (place / "s").exists()


def test_in_the_directory_of_a_third_user_root_makes_nothing(place: Path) -> None:
    daemon = pwd.getpwnam("daemon")
    (place / "other").mkdir()
    os.chown(place / "other", daemon.pw_uid, daemon.pw_gid)
    with pytest.raises(SocketError, match=r"/other/s: Permission denied: root creates it as the filter's user"):
        start(place / "other" / "s")
    assert list((place / "other").iterdir()) == []


@pytest.mark.parametrize(
    ("setgid", "group"), [(False, USER.pw_gid), (True, grp.getgrnam("mail").gr_gid)], ids=["", "set-group-id"]
)
@pytest.mark.parametrize("owner", [USER.pw_uid, 0], ids=["theirs", "roots"])
def test_without_a_group_in_the_configuration_it_has_the_users_or_the_directorys(
    place: Path, setgid: bool, group: int, owner: int
) -> None:
    path = place / "own"
    path.mkdir()
    os.chown(path, owner, grp.getgrnam("mail").gr_gid)
    path.chmod(0o2755 if setgid else 0o755)
    listener = MilterSocket(SocketSpec.parse(f"unix:{path}/s"), 0o660, "", USER.pw_name)
    found = (path / "s").stat()
    listener.close()
    assert (found.st_uid, found.st_gid) == (USER.pw_uid, group)
    foreseen = Access.of_socket(path / "s", 0o660, "", USER.pw_name)
    assert foreseen == Access(found.st_uid, found.st_gid, 0o660), "the warnings about who reaches it rely on this"


def test_root_is_itself_again_afterwards(theirs: Path) -> None:
    before = os.getresuid(), os.getresgid(), os.getgroups()
    start(theirs / "s").close()
    with pytest.raises(SocketError):
        start(theirs / "missing" / "s")
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before
