"""The control socket: root and the filter's user can order a reload, and ask the rules in force.

A request and an answer are one JSON object each, on one line.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

_MOST_CLIENTS = 8
_MOST_OCTETS = 131_072  # of a request: a transaction has at most half as many
_MOST_SAID = 100_000  # octets of the sentences in an answer: the buffer of a socket has at least twice as many
_PATIENCE = 10.0  # seconds for a request to arrive
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


class Order(Protocol):
    """Orders a reload."""

    def __call__(self, *, may_shrink: bool) -> None:
        """Begin a reload; tables may lose most of their entries if they `may_shrink`."""


Say = Callable[[str], None]


class Client:
    """One connection; `waiting` is its descriptor, and `read` is called when that is readable."""

    def __init__(self, connection: socket.socket, serve: Callable[[Client, dict[str, Any]], None]) -> None:
        self.connection = connection
        self.waiting = connection.fileno()
        self.deadline = time.monotonic() + _PATIENCE
        self.over = False
        self.asked = False  # its request has arrived: only its end can follow
        self._serve = serve
        self._input = b""

    def read(self) -> None:
        """Read what has arrived; call `serve` with a complete request."""
        try:
            data = self.connection.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.over = True
            return
        self._input += data
        line, end, _ = self._input.partition(b"\n")
        if end and not self.asked:
            self.asked = True
            self._serve(self, _parsed(line))
        elif len(self._input) > _MOST_OCTETS:
            self.answer({"error": "the request is too long"})

    def answer(self, said: dict[str, Any]) -> None:
        """Send the answer and end the connection; a client that does not read it loses it."""
        with suppress(OSError):
            self.connection.send(json.dumps(_cut(said)).encode() + b"\n", socket.MSG_DONTWAIT)
        self.over = True


class Control:
    """Listens at the path of the socket, as configured.  Never blocks; trouble is reported once, as a warning.

    `order` is called for each request to reload, `explain` for each other one, with the client that waits for it.
    """

    def __init__(self, order: Order, explain: Callable[[Client, dict[str, Any]], None], say: Say) -> None:
        self._order = order
        self._explain = explain
        self._say = say
        self._path: Path | None = None
        self._listening: socket.socket | None = None
        self._created: tuple[int, int] | None = None  # device and inode of the path: another daemon may replace it
        self._clients: list[Client] = []

    @property
    def waiting(self) -> int:
        """The descriptor of the listening socket, -1 if there is none."""
        return self._listening.fileno() if self._listening else -1

    @property
    def clients(self) -> list[Client]:
        """The open connections."""
        return list(self._clients)

    def settle(self, path: Path | None, outcome: dict[str, Any] | None, now: float) -> None:
        """Listen at `path`, None for nowhere; answer those who wait, unless `outcome` is None: a reload goes on."""
        self._listen(path)
        for client in self.clients:
            if client.asked and not client.over and outcome is not None:
                client.answer(outcome)
            if client.over or (not client.asked and now > client.deadline):
                client.connection.close()
                self._clients.remove(client)

    def read(self) -> None:
        """Accept a connection.  One of another user is closed at once, and so are too many."""
        if self._listening is None:
            return
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return
        connection.setblocking(False)
        client = Client(connection, self._serve)
        if _uid(connection) not in (0, os.geteuid()):
            client.answer({"error": "only root and the filter's user may give orders"})
        elif len(self._clients) >= _MOST_CLIENTS:
            client.answer({"error": "too many connections to the control socket"})
        if client.over:
            connection.close()
        else:
            self._clients.append(client)

    def forget(self) -> None:
        """Close everything in a child, which must not keep the socket open; its path stays."""
        for client in self._clients:
            client.connection.close()
        if self._listening:
            self._listening.close()

    def close(self) -> None:
        """Stop listening, and remove the path."""
        self.forget()
        self._clients.clear()
        if self._listening and self._path:
            with suppress(OSError):
                if _identity(self._path) == self._created:
                    self._path.unlink()
        self._listening = self._path = None

    def _listen(self, path: Path | None) -> None:
        if path == self._path:
            return
        self.close()
        self._path = path
        if path is None:
            return
        try:
            self._listening = _listening(path)
            self._created = _identity(path)
        except OSError as error:
            self._say(f"control: {path}: {error.strerror or error}; turfctl reload cannot reach the daemon")

    def _serve(self, client: Client, request: dict[str, Any]) -> None:
        match request.get("request"):
            case "reload":
                self._order(may_shrink=request.get("may_shrink") is True)
            case "explain":
                self._explain(client, request)
            case _:
                client.answer({"error": "unknown request"})


def _listening(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, with mode 0600; whatever a dead daemon left there is replaced."""
    coming = path.with_name(f".{path.name}.{os.getpid()}")
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        found.bind(str(coming))
        found.listen(_MOST_CLIENTS)
        coming.rename(path)  # by now it accepts connections: no client sees half of it
    except OSError:
        found.close()
        with suppress(OSError):
            coming.unlink()
        raise
    finally:
        os.umask(before)
    return found


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _cut(said: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of which the lists are cut to what `send` accepts at once; the log has all sentences."""
    room, cut = _MOST_SAID, dict(said)
    for key, sentences in said.items():
        if isinstance(sentences, list | tuple):
            kept: list[Any] = []
            for sentence in sentences:
                room -= len(json.dumps(sentence))
                if room < 0:
                    kept.append(f"{len(sentences) - len(kept)} more are in the log of turfmilter")
                    break
                kept.append(sentence)
            cut[key] = kept
    return cut


def _uid(connection: socket.socket) -> int:
    return int(_CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[1])


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
