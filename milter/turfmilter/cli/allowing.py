"""Exceptions for the turf table, added with the original rights while the rest of the program has other ones."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from turfmilter.core.escape import escape


class Answer(NamedTuple):
    """Whether an exception is in the table now, and a report for people: lines of escaped text."""

    done: bool
    text: str


Add = Callable[[str, str, str], Answer]  # given the listener, the entry, and the reason


class Allowing:
    """Calls `add` in a process that keeps the rights with which the program was started.

    turfctl switches to the quarantine's owner, who cannot write the tables: thus the daemon cannot either.
    """

    def __init__(self, add: Add) -> None:
        self._add = add
        self._pid = 0
        self._asking = -1
        self._answering = -1

    def __enter__(self) -> Self:
        asked, self._asking = os.pipe()
        self._answering, answer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._asking)
            os.close(self._answering)
            self._serve(asked, answer)
        os.close(asked)
        os.close(answer)
        return self

    def allow(self, listener: str, entry: str, why: str) -> Answer:
        """Add the exception `entry` for `listener`, and return once it is in the table or cannot be added."""
        try:
            os.write(self._asking, (json.dumps([listener, entry, why]) + "\n").encode())
            line = b""
            while not line.endswith(b"\n"):
                line += os.read(self._answering, 65_536) or b"\nnull\n"
        except BrokenPipeError:
            line = b"null\n"
        return Answer(*(json.loads(line.splitlines()[-1]) or (False, f"{escape(entry)} was not added: see above")))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._asking)
        os.close(self._answering)
        os.waitpid(self._pid, 0)

    def _serve(self, asked: int, answer: int) -> None:
        try:
            # A terminal sends these to every process of the foreground: this one ends with the pipe, after its answer.
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
                signal.signal(number, signal.SIG_IGN)
            with os.fdopen(asked) as lines:
                for line in lines:
                    said = json.dumps(self._add(*json.loads(line)))
                    os.write(answer, f"{said}\n".encode())
        except Exception:  # noqa: BLE001 - the child must not return from here
            traceback.print_exc()
        finally:
            os._exit(0)
