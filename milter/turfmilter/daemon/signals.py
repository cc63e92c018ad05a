"""Signals as something that can be waited for together with sockets."""

from __future__ import annotations

import signal
import socket

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Signals:
    """SIGTERM, SIGINT, SIGHUP and SIGCHLD of this process, from now on."""

    def __init__(self) -> None:
        self.waiting, self._waking = socket.socketpair()
        self.waiting.setblocking(False)
        self._waking.setblocking(False)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        for number in _HANDLED:
            signal.signal(number, lambda *_: None)  # Python writes its number to the socket

    def wake(self) -> None:
        """Have whoever waits look around; from any thread."""
        self._waking.send(b"\0")

    def received(self) -> list[int]:
        """The signals since the last call, each once and in their order."""
        try:
            return [number for number in dict.fromkeys(self.waiting.recv(4096)) if number]
        except BlockingIOError:
            return []

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
