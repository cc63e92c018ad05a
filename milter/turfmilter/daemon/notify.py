"""What a service manager is told: sd_notify(3), one datagram a message."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notify:
    """The service manager that `environment` names; without one nothing is said.

    A manager that does not read is not waited for, and none can be in the way of mail.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._watchdog = _watchdog_seconds(environment)

    @property
    def interval(self) -> float | None:
        """Seconds between two signs of life: half of what the manager waits for one; None when it waits for none."""
        return self._watchdog / 2 if self._watchdog else None

    def ready(self, status: str) -> None:
        """Connections are served; `status` is for people.  This also ends what `reloading` began."""
        # After a fork the process that the manager started may not be the one that serves.
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        """A new generation is being made."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """No connection is taken any more."""
        self._send("STOPPING=1", "STATUS=stopping")

    def alive(self) -> None:
        """Every worker has answered."""
        if self._watchdog:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # It has gone or does not read, or we have no descriptor for this: there is nobody else to tell.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            manager.sendto("\n".join(lines).encode(), self._address)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """How long the manager waits for a sign of life, 0 for ever (sd_watchdog_enabled(3))."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    of_another = environment.get("WATCHDOG_PID", "") not in ("", str(os.getpid()))
    return int(microseconds) / 1e6 if microseconds.isdecimal() and not of_another else 0.0
