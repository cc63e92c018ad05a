"""Notifies the service manager of the daemon's state: sd_notify(3), one datagram per message."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notify:
    """Sends messages to the service manager named in `environment`; without one, does nothing.

    Sending never blocks and never fails: a service manager must not delay mail.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name  # "@" is an abstract socket (unix(7))
        self._watchdog = _watchdog_seconds(environment)

    @property
    def interval(self) -> float | None:
        """Seconds between two calls of `alive`, half of the watchdog's timeout; None if there is no watchdog."""
        return self._watchdog / 2 if self._watchdog else None

    def ready(self, status: str) -> None:
        """Report that connections are served, with `status` for people.  This also ends a `reloading`."""
        # In the background, the process that the manager started has forked this one and exits.
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """Report that a new generation is being loaded."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that no more connections are accepted."""
        self._send("STOPPING=1", "STATUS=stopping")

    def alive(self) -> None:
        """Reset the watchdog: every worker has answered."""
        if self._watchdog:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # The manager has ended or does not read, or there is no free descriptor: nothing else can be done.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            manager.sendto("\n".join(lines).encode(), self._address)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """The timeout of the manager's watchdog in seconds, 0 if there is none (sd_watchdog_enabled(3))."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    of_another = environment.get("WATCHDOG_PID", "") not in ("", str(os.getpid()))
    return int(microseconds) / 1e6 if microseconds.isdecimal() and not of_another else 0.0
