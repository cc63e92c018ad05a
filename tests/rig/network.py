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
    network = Network(networks)
    try:
        with network.entered():
            yield
    finally:
        network.close()


class Network:
    """The same, to be entered any number of times until close()."""

    def __init__(self, networks: Iterable[str]) -> None:
        before = os.open(_HERE, os.O_RDONLY)
        try:
            _call("unshare", _CLONE_NEWNET)
            self._inside = os.open(_HERE, os.O_RDONLY)
            _furnish(networks)
        finally:
            _call("setns", before, _CLONE_NEWNET)
            os.close(before)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in it; only this thread is, and what it starts."""
        before = os.open(_HERE, os.O_RDONLY)
        _call("setns", self._inside, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", before, _CLONE_NEWNET)
            os.close(before)

    def close(self) -> None:
        """It disappears when the last process that started in it has ended."""
        os.close(self._inside)


def _furnish(networks: Iterable[str]) -> None:
    _ip("link", "set", "lo", "up")
    for network in networks:
        _ip("route", "add", "local", network, "dev", "lo")
    # A client may come from an address that is only routed here, not assigned.
    Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
