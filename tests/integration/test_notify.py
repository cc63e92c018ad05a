"""What a service manager hears, over a datagram socket of its own."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.child import in_child
from turfmilter.daemon.notify import Notify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, place: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that is listened to, and how NOTIFY_SOCKET names it."""
    name = str(place / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}" if request.param == "abstract" else name)
        listening.settimeout(10)
        yield listening, f"@{name}" if request.param == "abstract" else name


def test_it_hears_of_the_start_of_reloads_and_of_the_end(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    notify = Notify({"NOTIFY_SOCKET": name})
    notify.ready("2 workers")
    assert listening.recv(4096).decode() == f"READY=1\nMAINPID={os.getpid()}\nSTATUS=2 workers"
    before = time.monotonic_ns() // 1000
    notify.reloading()
    first, _, microseconds = listening.recv(4096).decode().partition("\nMONOTONIC_USEC=")
    assert first == "RELOADING=1"
    assert before <= int(microseconds) <= time.monotonic_ns() // 1000
    notify.stopping()
    assert listening.recv(4096) == b"STOPPING=1\nSTATUS=stopping"


def test_it_hears_signs_of_life_only_where_it_waits_for_them(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    Notify({"NOTIFY_SOCKET": name}).alive()
    Notify({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"}).alive()
    listening.setblocking(False)
    assert listening.recv(4096) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        listening.recv(4096)


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_signs_of_life_come_twice_as_often_as_they_are_waited_for(
    environment: dict[str, str], interval: float | None
) -> None:
    assert Notify(environment).interval == interval


UNHEARD = [
    {},
    {"NOTIFY_SOCKET": ""},
    {"NOTIFY_SOCKET": "/nowhere/notify"},
    {"NOTIFY_SOCKET": "/long" * 30},
    {"NOTIFY_SOCKET": "@nobody"},
]


@pytest.mark.parametrize("environment", UNHEARD)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    Notify(environment).ready("alone")


def test_a_manager_that_does_not_read_is_not_waited_for(manager: tuple[socket.socket, str]) -> None:
    _, name = manager
    notify = Notify({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000"})
    for _ in range(10_000):
        notify.alive()


def test_without_a_descriptor_it_is_not_told_and_nothing_happens(manager: tuple[socket.socket, str]) -> None:
    def check() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        Notify({"NOTIFY_SOCKET": manager[1]}).ready("alone")

    in_child(check)
