"""Waiting on something observable, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


AMPLE = 120.0  # seconds: a deadline means that something hangs, and on a busy machine everything is slow


def until(look: Callable[[], Seen], what: str | Callable[[], str], seconds: float = AMPLE) -> Seen:
    """What `look` returns as soon as it is true.  Raises TimeoutError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.005)
    return seen
