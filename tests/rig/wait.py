"""Waiting on something observable, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


AMPLE = 120.0  # seconds: a deadline means that something hangs, and on a busy machine everything is slow


def until(look: Callable[[], Seen], what: str | Callable[[], str], seconds: float = AMPLE) -> Seen:
    """What `look` returns as soon as it is true.  Raises TimeoutError naming `what` after `seconds`."""
    begun = time.monotonic()
    while not (seen := look()):
        waited = time.monotonic() - begun
        if waited > seconds:
            raise TimeoutError(f"waited {seconds} s for {what if isinstance(what, str) else what()}")
        # The longer it takes, the rarer a look: what is waited for needs the processor itself.
        time.sleep(min(0.005 + waited / 20, 0.05))
    return seen
