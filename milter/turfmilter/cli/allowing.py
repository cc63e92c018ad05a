"""Exceptions for the turf table, added with the original rights while the rest of the program has other ones."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

import click

Add = Callable[[str, str, str], bool]  # the listener, the entry, and the reason; False if it could not be added


class Allowing:
    """Calls `add` in a process that keeps the rights with which the program was started.

    turfctl switches to the quarantine's owner, who cannot write the tables: thus the daemon cannot either.
    """

    def __init__(self, add: Add) -> None:
        self._add = add
        self._pid = 0
        self._telling = -1

    def __enter__(self) -> Self:
        told, self._telling = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._telling)
            self._serve(told)
        os.close(told)
        return self

    def allow(self, listener: str, entry: str, why: str) -> None:
        """Add the exception `entry` for `listener` once everything else is done."""
        os.write(self._telling, (json.dumps([listener, entry, why]) + "\n").encode())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._telling)
        _, status = os.waitpid(self._pid, 0)
        if status and kind is None:
            raise click.exceptions.Exit(1)

    def _serve(self, told: int) -> None:
        status = 1
        try:
            # All input first: the output of the releases must not be mixed with the output of `add`.
            with os.fdopen(told) as lines:
                wanted = [json.loads(line) for line in lines]
            added = [self._add(*one) for one in dict.fromkeys(map(tuple, wanted))]
            status = 0 if all(added) else 1
        except Exception:  # noqa: BLE001 - the child must not return from here
            traceback.print_exc()
        finally:
            os._exit(status)
