"""A gate between Postfix and the filter: it stops a message half-way, so that something can happen at that moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from rig.server import Server

_PIECE = 16 * 1024


class Gate(Server):
    """Forwards the connections to the unix socket `path` to the one at `target`.

    Once stop_after() is called, no connection passes more than that many bytes towards the filter until open().
    """

    def __init__(self, path: Path, target: str) -> None:
        self.socket = f"unix:{path}"
        self._path = path
        self._target = target.removeprefix("unix:")
        self._limit: int | None = None
        self._opened = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Listen."""
        self._listening.bind(str(self._path))
        self._path.chmod(0o666)
        self._listening.listen()
        self._start(self._accept)

    def stop(self) -> None:
        """Forward what is waiting, and end."""
        self._opened.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def stop_after(self, size: int) -> None:
        """Of every connection pass `size` bytes, and then none until open()."""
        self._limit = size
        self._opened.clear()

    def open(self) -> None:
        """Pass everything."""
        self._limit = None
        self._opened.set()

    def _start(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                mta, _ = self._listening.accept()
            except OSError:
                return  # closed
            there = socket.socket(socket.AF_UNIX)
            try:
                there.connect(self._target)
            except OSError:
                mta.close()  # no filter: the MTA sees just that
                continue
            self._start(self._to_filter, mta, there)
            self._start(self._to_mta, there, mta)

    def _to_filter(self, mta: socket.socket, there: socket.socket) -> None:
        passed = 0
        while piece := _received(mta):
            passed += len(piece)
            if self._limit is not None and passed > self._limit:
                self._opened.wait()
            if not _sent(there, piece):
                break
        _end(there)

    def _to_mta(self, there: socket.socket, mta: socket.socket) -> None:
        while (piece := _received(there)) and _sent(mta, piece):
            pass
        _end(mta)


def _received(one: socket.socket) -> bytes:
    try:
        return one.recv(_PIECE)
    except OSError:
        return b""


def _sent(one: socket.socket, piece: bytes) -> bool:
    try:
        one.sendall(piece)
    except OSError:
        return False
    return True


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have been faster
        one.shutdown(socket.SHUT_RDWR)
