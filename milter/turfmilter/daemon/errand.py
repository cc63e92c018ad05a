"""Work for a disk that nobody waits for: done by a short-lived process of its own, which tells what it found."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from turfmilter.daemon.reload import Say

Fork = Callable[[Callable[[], NoReturn]], int]  # runs its argument in a child, and gives the child's process id

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Errand:
    """One process at a time.  `what` it does not do when it fails is said in a sentence: "the index was not kept".

    `found` are the sentences of the last time.  Each is logged unless it was found the time before as well.

    Whoever waits for descriptors also waits for `waiting`, and calls `read` for it: what the process says may be more
    than fits into a pipe, and until it is read the process does not end.
    """

    def __init__(self, what: str, say: Say) -> None:
        self.found: tuple[str, ...] = ()
        self._what = what
        self._tell = say
        self._pid = 0
        self._said = b""
        self.waiting = -1

    @property
    def under_way(self) -> bool:
        """True from `begin` until `reap` has seen the end."""
        return self._pid != 0

    def begin(self, work: Callable[[], Sequence[str]], fork: Fork) -> None:
        """Have a child, which `fork` makes, do it; what it returns is found."""
        try:
            self.waiting, telling = os.pipe()
        except OSError as error:
            self._find([self._none_to_be_had(error)])
            return
        os.set_blocking(self.waiting, False)
        try:
            self._pid = fork(lambda: _work(work, telling, self.waiting))
        except OSError as error:
            self._close()
            self._find([self._none_to_be_had(error)])
        finally:
            os.close(telling)

    def read(self) -> None:
        """Take over what the process has said so far."""
        try:
            while data := os.read(self.waiting, 1 << 16):
                self._said += data
        except BlockingIOError:
            return
        self._close()

    def reap(self) -> bool:
        """True when the process has ended since the last call: what it found, or why it failed, is `found` now."""
        pid, status = os.waitpid(self._pid, os.WNOHANG) if self._pid else (0, 0)
        if not pid:
            return False
        self._pid = 0
        if self.waiting >= 0:
            self.read()
        if self.waiting >= 0:  # somebody else holds the other end
            self._close()
        said, self._said = self._said, b""
        self._find(self._understood(os.waitstatus_to_exitcode(status), said))
        return True

    def _understood(self, code: int, said: bytes) -> list[str]:
        if code:
            return [f"{self._what}: the process for it died ({f'signal {-code}' if code < 0 else f'exit {code}'})"]
        found = json.loads(said)
        return [f"{self._what}: {found['failed']}"] if "failed" in found else list(found["found"])

    def _find(self, sentences: Iterable[str]) -> None:
        before, self.found = self.found, tuple(sentences)
        for sentence in self.found:
            if sentence not in before:
                self._tell("warning", sentence)

    def _close(self) -> None:
        os.close(self.waiting)
        self.waiting = -1

    def _none_to_be_had(self, error: OSError) -> str:
        return f"{self._what}: no process can be had: {error.strerror}"


def _work(work: Callable[[], Sequence[str]], telling: int, waiting: int) -> NoReturn:
    """In the child, which ends by itself soon."""
    os.close(waiting)  # as long as it is open here, a write waits for ever for a supervisor that has died
    for number in _HANDLED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    said: dict[str, object]
    try:
        said = {"found": list(work())}
    except Exception as error:  # noqa: BLE001 - whatever it is, the administrator must learn of it
        said = {"failed": f"{type(error).__name__}: {error}"}
    with os.fdopen(telling, "wb") as pipe:
        pipe.write(json.dumps(said).encode())
    os._exit(0)
