"""Single keys from the terminal, which is given back as it was however the program ends."""

from __future__ import annotations

import os
import re
import select
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

REDRAW = "redraw"  # not a key: the size has changed, or something else has written on the terminal

# What terminals send for cursor keys, ECMA-48 (CSI) and in the application mode of a VT100 (SS3).
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*([@-~])|O(.))", re.DOTALL)
_BEGUN = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")  # the beginning of such a sequence
_REST_SECONDS = 0.1  # after which ESC was the key of that name, and no beginning

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_WATCHED = (*_ENDING, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)


class Ended(Exception):
    """The signal `number` has arrived, or SIGHUP is assumed because the terminal is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Keyboard:
    """The keys that are typed on the terminal `descriptor`, from `__enter__` to `__exit__`.

    Lines are not edited and nothing is echoed meanwhile (tcsetattr, ICANON and ECHO).  SIGINT raises KeyboardInterrupt
    as always.  Other signals are only looked at while `key` waits: what is being done to a message is completed first.
    """

    def __init__(self, descriptor: int) -> None:
        self._terminal = descriptor
        self._typed = b""
        self._attributes: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._arrived = self._wake = self._woken = -1

    def __enter__(self) -> Self:
        self._attributes = termios.tcgetattr(self._terminal)
        self._arrived, self._wake = os.pipe()
        for end in (self._arrived, self._wake):
            os.set_blocking(end, False)
        self._woken = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, _noted) for number in _WATCHED}
        tty.setcbreak(self._terminal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken)
        os.close(self._arrived)
        os.close(self._wake)

    def key(self) -> str:
        """Wait for a key and return it: a character, "up", "down", "left", "right", "esc", or "" for any other.

        Returns REDRAW if the screen must be drawn again.  Raises Ended.
        """
        while True:
            if self._typed:
                return self._next()
            readable, _, _ = select.select([self._terminal, self._arrived], [], [])
            if self._arrived in readable and self._signalled():
                return REDRAW
            if self._terminal in readable:
                self._read()

    def forget(self) -> None:
        """Discard the keys that were typed but not returned yet."""
        self._typed = b""
        with suppress(termios.error):
            termios.tcflush(self._terminal, termios.TCIFLUSH)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Give the terminal back for as long as another program uses it; ^Z then stops this program at once."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            yield
        finally:
            signal.signal(signal.SIGTSTP, _noted)
            tty.setcbreak(self._terminal)
            self.forget()

    def _next(self) -> str:
        if _BEGUN.fullmatch(self._typed) and select.select([self._terminal], [], [], _REST_SECONDS)[0]:
            self._read()
        if sequence := _SEQUENCE.match(self._typed):
            self._typed = self._typed[sequence.end() :]
            return _ARROWS.get((sequence[1] or sequence[2]).decode("ascii", "replace"), "")
        key, self._typed = self._typed[:1], self._typed[1:]
        return "esc" if key == b"\x1b" else key.decode("ascii", "ignore")

    def _read(self) -> None:
        try:
            self._typed += os.read(self._terminal, 1024)
        except OSError:  # EIO: the other side of a pseudo-terminal, such as sshd, has closed it
            self._typed = b""
        if not self._typed:
            raise Ended(signal.SIGHUP)

    def _signalled(self) -> bool:
        """Return whether the screen must be drawn again after the signals that have arrived.  Raises Ended."""
        numbers = os.read(self._arrived, 1024)
        for number in _ENDING:
            if number in numbers:
                raise Ended(number)
        if signal.SIGTSTP in numbers:
            self._stop()
        elif signal.SIGCONT in numbers:  # after SIGSTOP: the shell may have set other modes meanwhile
            tty.setcbreak(self._terminal)
        return not {signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH}.isdisjoint(numbers)

    def _stop(self) -> None:
        """Stop this process as ^Z does, and return when it is continued."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, _noted)
        tty.setcbreak(self._terminal)

    def _give_back(self) -> None:
        with suppress(termios.error):  # the terminal is closed
            # Not TCSADRAIN: it would wait until a terminal that was stopped with ^S goes on.
            termios.tcsetattr(self._terminal, termios.TCSANOW, self._attributes)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal by doing nothing: Python writes its number to the pipe of set_wakeup_fd."""
