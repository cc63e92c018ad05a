"""Signals as something that can be waited for together with sockets."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Signals:
    """SIGTERM, SIGINT, SIGHUP and SIGCHLD of this process, from now on."""

    def __init__(self) -> None:
        self.waiting, self._waking = socket.socketpair()
        self.waiting.setblocking(False)
        self._waking.setblocking(False)
        # It only wakes: in a storm of signals it is full, and takes no number any more.
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        self._received: dict[int, None] = {}
        for number in _HANDLED:
            signal.signal(number, lambda number, _frame: self._received.setdefault(number))

    def wake(self) -> None:
        """Have whoever waits look around; from any thread."""
        with suppress(BlockingIOError):  # so many have woken it already
            self._waking.send(b"\0")

    def received(self) -> list[int]:
        """The signals since the last call, each once and in their order."""
        with suppress(BlockingIOError):
            while self.waiting.recv(65536):
                pass
        received, self._received = self._received, {}
        return list(received)

    def hold(self) -> None:
        """Let none come in before `release`: a fork would still write to the socket that it shares with us."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)

    def release(self) -> None:
        """Let those come in that were held."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)

    def forget(self) -> None:
        """In a fork: signals are no business of the one who waits."""
        signal.set_wakeup_fd(-1)
        self.waiting.close()
        self._waking.close()
