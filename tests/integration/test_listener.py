"""The listening socket: had with its mode, group and owner, or refused in one sentence."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.child import in_child
from rig.ports import free_port
from turfmilter.config.socketspec import SocketSpec
from turfmilter.daemon.listener import MilterSocket, SocketError


def spec(text: str | Path) -> SocketSpec:
    return SocketSpec.parse(str(text))


def connects(address: str | tuple[str, int], family: socket.AddressFamily = socket.AF_UNIX) -> bool:
    with socket.socket(family) as client:
        client.settimeout(5)
        try:
            client.connect(address)
        except OSError:
            return False
        return True


def as_nobody(check: Callable[[], object]) -> None:
    """Run `check` in a process that is not root."""
    assert os.geteuid() == 0, "only root can become somebody else: run these tests as root"
    in_child(check, user="nobody")


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_unix_socket_has_the_mode_that_is_asked_for_whatever_the_umask(place: Path, mode: int) -> None:
    before = os.umask(0o777)
    try:
        listener = MilterSocket(spec(place / "s"), mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "s").stat().st_mode) == mode
    assert connects(str(place / "s"))
    listener.close()


def test_a_unix_socket_is_handed_over_to_owner_and_group(place: Path) -> None:
    assert os.geteuid() == 0, "only root can give files away: run these tests as root"
    listener = MilterSocket(spec(place / "s"), group="mail", owner="nobody")
    status = (place / "s").stat()
    assert (status.st_uid, status.st_gid) == (pwd.getpwnam("nobody").pw_uid, grp.getgrnam("mail").gr_gid)
    listener.close()


def test_without_an_owner_it_stays_our_own(place: Path) -> None:
    listener = MilterSocket(spec(place / "s"))
    status = (place / "s").stat()
    assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
    listener.close()


def test_who_is_not_root_needs_no_owner(place: Path) -> None:
    place.chmod(0o777)
    as_nobody(lambda: MilterSocket(spec(place / "s"), owner="nobody").close())


def test_a_socket_that_cannot_be_handed_over_is_refused_and_leaves_nothing(place: Path) -> None:
    place.chmod(0o777)

    def check() -> None:
        with pytest.raises(SocketError, match=r"^unix:/.*/s: socket_group: only root or a member"):
            MilterSocket(spec(place / "s"), group="root")
        assert not (place / "s").exists()

    as_nobody(check)


def test_closing_removes_the_path_and_ends_the_service(place: Path) -> None:
    listener = MilterSocket(spec(place / "s"))
    listener.close()
    assert not (place / "s").exists()
    assert listener.socket.fileno() < 0


def test_closing_twice_leaves_the_next_ones_socket_alone(place: Path) -> None:
    first = MilterSocket(spec(place / "s"))
    first.close()
    second = MilterSocket(spec(place / "s"))
    first.close()
    assert connects(str(place / "s"))
    second.close()


def test_closing_does_not_mind_that_somebody_has_removed_the_path(place: Path) -> None:
    listener = MilterSocket(spec(place / "s"))
    (place / "s").unlink()
    listener.close()


def test_a_path_that_has_become_anothers_is_lost_and_left_alone(place: Path) -> None:
    first = MilterSocket(spec(place / "s"))
    assert not first.lost
    (place / "s").unlink()
    assert first.lost
    second = MilterSocket(spec(place / "s"))
    assert (first.lost, second.lost) == (True, False)
    first.close()
    assert connects(str(place / "s"))
    second.close()


def test_a_port_is_never_lost() -> None:
    listener = MilterSocket(spec(f"inet:{free_port()}@127.0.0.1"))
    assert not listener.lost
    listener.close()


def test_a_path_where_we_may_not_look_is_not_taken_for_lost(place: Path) -> None:
    listener = MilterSocket(spec(place / "s"))
    place.chmod(0o700)

    def check() -> None:
        assert not listener.lost

    as_nobody(check)
    listener.close()


@pytest.mark.parametrize("text", ["unix:{place}/s", "inet:{port}@127.0.0.1", "inet6:{port}@::1"])
def test_nobody_waits_in_accept(place: Path, text: str) -> None:
    listener = MilterSocket(spec(text.format(place=place, port=free_port())))
    with pytest.raises(BlockingIOError):
        listener.socket.accept()
    listener.close()


@pytest.mark.parametrize(
    ("text", "family", "address"),
    [
        ("inet:{port}@127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("inet:{port}@localhost", socket.AF_INET, "127.0.0.1"),
        ("inet:{port}", socket.AF_INET, "127.0.0.1"),
        ("inet6:{port}@::1", socket.AF_INET6, "::1"),
        ("inet6:{port}", socket.AF_INET6, "::1"),
    ],
)
def test_a_port_is_listened_on(text: str, family: socket.AddressFamily, address: str) -> None:
    port = free_port()
    listener = MilterSocket(spec(text.format(port=port)))
    assert connects((address, port), family)
    listener.close()
    assert not connects((address, port), family)


def test_a_port_can_be_had_again_at_once() -> None:
    port = free_port()
    for _ in range(2):
        listener = MilterSocket(spec(f"inet:{port}@127.0.0.1"))
        with socket.create_connection(("127.0.0.1", port)):
            pass
        listener.close()


def test_a_stale_socket_is_replaced(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(place / "s"))
        old.listen()
    listener = MilterSocket(spec(place / "s"))
    assert connects(str(place / "s"))
    listener.close()


def test_a_socket_that_is_served_is_not_taken_away(place: Path) -> None:
    listener = MilterSocket(spec(place / "s"))
    with pytest.raises(SocketError, match=r"^unix:/.*/s: in use: another filter listens on this socket"):
        MilterSocket(spec(place / "s"))
    assert connects(str(place / "s"))
    listener.close()


def test_a_socket_whose_queue_is_full_is_not_taken_away(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(place / "s"))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(str(place / "s"))
        with pytest.raises(SocketError, match="in use"):
            MilterSocket(spec(place / "s"))
        assert (place / "s").is_socket()
        for client in waiting:
            client.close()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_another_file_of_the_name_stays(place: Path, make: Callable[[Path], None]) -> None:
    make(place / "s")
    with pytest.raises(SocketError, match="or another file has this name"):
        MilterSocket(spec(place / "s"))
    assert os.path.lexists(place / "s")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unix:{place}/missing/s", "its directory does not exist: create it, writable by the filter's user"),
        ("unix:{place}/file/s", "Not a directory"),
        ("inet:8895@a..b", r"the host cannot be resolved \(.+\)"),
        (f"inet:8895@{'x' * 64}.test", r"the host cannot be resolved \(.+\)"),
        ("inet:8895@192.0.2.1", "Cannot assign requested address"),
        ("fd:9999", "no such descriptor was passed: start turfmilter.socket"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(place: Path, text: str, said: str) -> None:
    (place / "file").touch()
    wanted = spec(text.format(place=place))
    with pytest.raises(SocketError, match=f"^{wanted}: {said}") as refused:
        MilterSocket(wanted)
    assert "\n" not in str(refused.value)


def test_a_directory_that_may_not_be_written_is_said(place: Path) -> None:
    def check() -> None:
        with pytest.raises(SocketError, match=r"^unix:/.*/s: Permission denied$"):
            MilterSocket(spec(place / "s"))

    as_nobody(check)


def test_an_inherited_socket_is_used_as_it_is(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(place / "s"))
        given.listen()
        listener = MilterSocket(spec(f"fd:{os.dup(given.fileno())}"))
        assert connects(str(place / "s"))
        with pytest.raises(BlockingIOError):
            while True:
                listener.socket.accept()[0].close()
        listener.close()
        assert (place / "s").is_socket()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_an_inherited_socket_must_listen(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as deaf:
        number = os.dup(deaf.fileno())
        with pytest.raises(SocketError, match=rf"^fd:{number}: the descriptor is not a listening socket$"):
            MilterSocket(spec(f"fd:{number}"))


def test_an_inherited_file_is_no_socket(place: Path) -> None:
    with (place / "file").open("w") as file:
        number = os.dup(file.fileno())
    with pytest.raises(SocketError, match=rf"^fd:{number}: Socket operation on non-socket$"):
        MilterSocket(spec(f"fd:{number}"))
    os.close(number)
