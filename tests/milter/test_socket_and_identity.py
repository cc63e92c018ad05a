"""The socket that the daemon serves, and the user that it runs as."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rig import proc, wait
from rig.filter import USER, Filters
from rig.golden import Golden
from rig.ports import free_port
from rig.program import ENVIRONMENT, configured, program, run, running, serves

RELAY = 'domains = ["rig.test"]\n'


def test_the_command_line_names_another_socket(place: Path) -> None:
    path = configured(place)
    with running(place, "-c", path, "-s", f"unix:{place}/other"):
        assert serves(place / "other")
        assert not (place / "s").exists()
    assert not (place / "other").exists()


def test_a_socket_in_use_is_left_to_its_owner(own_filter: Filters, place: Path, golden: Golden) -> None:
    serving = own_filter(RELAY)
    done = run("-f", "-c", configured(place, socket=f"unix:{serving.socket}"))
    assert done.returncode == 69
    golden("command_line", done.stderr, {str(place): "DIR"})
    with serving.session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"


def test_a_port_in_use_is_left_to_its_owner(place: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("-f", "-c", configured(place, socket=f"inet:{port}@127.0.0.1"))
    assert done.returncode == 69
    assert done.stderr.startswith(f"turfmilter: inet:{port}@127.0.0.1: in use: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_stale_socket_is_replaced(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(place / "s"))
    with running(place, "-c", configured(place)):
        assert serves(place / "s")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_another_file_with_the_name_of_the_socket_is_left_alone(place: Path, make: Callable[[Path], None]) -> None:
    make(place / "s")
    done = run("-f", "-c", configured(place))
    assert done.returncode == 69
    assert done.stderr.startswith(f"turfmilter: unix:{place}/s: in use: ")
    assert (place / "s").exists()


@pytest.mark.parametrize(
    "spec",
    ["unix:{place}/missing/s", "unix:/proc/s", "inet:8895@no..host", "inet:8895@192.0.2.1", "fd:99"],
)
def test_a_socket_that_cannot_be_bound_is_reported_in_one_line(place: Path, spec: str, golden: Golden) -> None:
    spec = spec.format(place=place)
    done = run("-f", "-c", configured(place, socket=spec))
    assert done.returncode == 69
    (line,) = [line for line in done.stderr.splitlines() if "warning" not in line]
    assert line.startswith(f"turfmilter: {spec}: ")
    golden("command_line", line, {str(place): "DIR"})


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_a_port_is_served(place: Path, family: str) -> None:
    host = "127.0.0.1" if family == "inet" else "::1"
    spec = f"{family}:{free_port()}@{host}"
    with running(place, "-c", configured(place, socket=spec)):
        assert serves(spec)


@pytest.mark.parametrize("mode", ["0660", "0600", "0666"])
def test_the_socket_has_the_configured_mode(place: Path, mode: str) -> None:
    with running(place, "-c", configured(place, f'socket_mode = "{mode}"\n')):
        assert (place / "s").stat().st_mode & 0o777 == int(mode, 8)


def test_the_socket_belongs_to_the_filters_user_and_to_the_configured_group(place: Path) -> None:
    assert os.geteuid() == 0, "giving files away takes root: run this test as root"
    with running(place, "-c", configured(place, 'socket_group = "mail"\n')):
        status = (place / "s").stat()
        assert status.st_uid == pwd.getpwnam(USER).pw_uid
        assert status.st_gid == grp.getgrnam("mail").gr_gid


def test_a_socket_is_inherited(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / "inherited"))
        listening.listen()
        (place / "inherited").chmod(0o666)
        number = listening.fileno()
        path = configured(place, socket=f"fd:{number}")
        with running(place, "-c", path, pass_fds=[number]):
            assert serves(place / "inherited")
        # It is not ours to remove, and serves on for the next start.
        assert (place / "inherited").exists()
        with running(place, "-c", path, pass_fds=[number]):
            assert serves(place / "inherited")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_an_inherited_descriptor_must_listen(place: Path, kind: socket.SocketKind, golden: Golden) -> None:
    with socket.socket(socket.AF_UNIX, kind) as deaf:
        number = deaf.fileno()
        path = configured(place, socket=f"fd:{number}")
        done = subprocess.run(
            program("-f", "-c", path),
            env=ENVIRONMENT,
            pass_fds=[number],
            capture_output=True,
            text=True,
            timeout=wait.AMPLE,
            check=False,
        )
    assert done.returncode == 69
    golden("command_line", done.stderr, {f"fd:{number}": "fd:NUMBER"})


@pytest.mark.parametrize("arguments", [["-t"], ["-f"], []])
def test_it_refuses_to_run_as_root(place: Path, arguments: list[str], golden: Golden) -> None:
    assert os.geteuid() == 0, "only root can be refused as root: run this test as root"
    done = run(*arguments, "-c", configured(place, user=""))
    assert done.returncode == 78
    golden("command_line", done.stderr)
    assert not (place / "s").exists()


def test_its_processes_keep_no_rights_of_root(own_filter: Filters) -> None:
    assert os.geteuid() == 0, "only root can become another user: run this test as root"
    serving = own_filter(RELAY)
    nobody = pwd.getpwnam(USER)
    texts = proc.each(serving.daemon.process.pids(), lambda process: (process / "status").read_text())
    assert serving.daemon.process.pid in texts
    for text in texts.values():
        status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert set(status["Groups"].split()) <= {str(gid) for gid in os.getgrouplist(USER, nobody.pw_gid)}
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_it_can_be_started_by_its_user_without_root(place: Path) -> None:
    path = configured(place)
    with running(place, "-c", path, user=USER or None):
        assert serves(place / "s")
