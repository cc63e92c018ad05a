"""A network of the tests' own: any client address, any port, and nothing that leaves it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_HERE = Path("/proc/thread-self/ns/net")


@contextmanager
def own_network(networks: Iterable[str]) -> Iterator[None]:
    """Whatever starts in here, threads and children alike, sees loopback and `networks` alone.

    Every address of `networks` is this host's: servers listen there, and clients come from there.  Needs root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with _HERE.open() as before:
        _check(libc.unshare(_CLONE_NEWNET), "a network namespace")
        try:
            _furnish(networks)
            yield
        finally:
            _check(libc.setns(before.fileno(), _CLONE_NEWNET), "the way back from the network namespace")


def _furnish(networks: Iterable[str]) -> None:
    _ip("link", "set", "lo", "up")
    for network in networks:
        _ip("route", "add", "local", network, "dev", "lo")
    # A client may come from an address that is only routed here, not assigned.
    Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _check(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
