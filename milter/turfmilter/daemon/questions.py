"""Questions to the rules in force, which short-lived child processes answer: DNS or a large table may take a while."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from turfmilter.daemon.control import Client
from turfmilter.daemon.reload import Explain, Loaded

_MOST = 4  # at the same time
_SECONDS = 30  # after which a child ends, with or without an answer
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Questions:
    """Answers clients of the control socket with `explain`, in children made by `fork`."""

    def __init__(self, explain: Explain, fork: Callable[[Callable[[], NoReturn]], int]) -> None:
        self._explain = explain
        self._fork = fork
        self._children: list[int] = []

    def begin(self, client: Client, request: Mapping[str, Any], loaded: Loaded | None) -> None:
        """Have a child answer `client` by the rules of `loaded`; None during a reload.  Never raises OSError."""
        if loaded is None or len(self._children) >= _MOST:
            client.answer({"error": "busy"})
            return
        try:
            with client.connection.dup() as connection:  # the child has its own; the client's is closed in both
                self._children.append(self._fork(lambda: self._answer(connection, request, loaded)))
        except OSError as error:
            client.answer({"error": f"cannot start a process: {error.strerror}"})
        client.over = True

    def reap(self) -> None:
        """Collect the children that have ended."""
        self._children = [pid for pid in self._children if os.waitpid(pid, os.WNOHANG) == (0, 0)]

    def _answer(self, connection: socket.socket, request: Mapping[str, Any], loaded: Loaded) -> NoReturn:
        for number in _HANDLED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.alarm(_SECONDS)  # whose default is to end the process
        try:
            said = dict(self._explain(loaded, request))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client must be told
            said = {"error": f"{type(error).__name__}: {error}"}
        connection.settimeout(_SECONDS)
        connection.sendall(json.dumps(said).encode() + b"\n")
        os._exit(0)
