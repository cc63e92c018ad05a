"""Turns signals into events on a socket, so that they can be polled together with other sockets."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Signals:
    """Handles SIGTERM, SIGINT, SIGHUP and SIGCHLD from construction on; poll `waiting`, then call `received`."""

    def __init__(self) -> None:
        self.waiting, self._waking = socket.socketpair()
        self.waiting.setblocking(False)
        self._waking.setblocking(False)
        # The socket only wakes the poll.  The numbers come from the handlers: in a storm of signals it is full.
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        self._received: dict[int, None] = {}
        for number in _HANDLED:
            signal.signal(number, lambda number, _frame: self._received.setdefault(number))

    def wake(self) -> None:
        """Make `waiting` readable; may be called in any thread."""
        with suppress(BlockingIOError):  # a full socket is readable anyway
            self._waking.send(b"\0")

    def received(self) -> list[int]:
        """The signals received since the last call, each once, in the order of their first arrival."""
        with suppress(BlockingIOError):
            while self.waiting.recv(65536):
                pass
        received, self._received = self._received, {}
        return list(received)

    def hold(self) -> None:
        """Block signals until `release`, around a fork: the child's handlers would write to the shared socket."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)

    def release(self) -> None:
        """Unblock the signals that `hold` has blocked."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)

    def forget(self) -> None:
        """Detach a forked child from the socket, which belongs to the supervisor."""
        signal.set_wakeup_fd(-1)
        self.waiting.close()
        self._waking.close()
