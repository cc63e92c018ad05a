"""How many files this process may have open: libmilter spins without a word when it has no more."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")
_RESERVE = 64  # for messages, DNS and the log of connections that are open; an eighth where that is fewer
_FEW = 4096  # one for each connection of the MTA, some for its message and for DNS


def raise_limit() -> str:
    """Take all that may be had (RLIMIT_NOFILE); a warning when that is little, else ""."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a service manager may forbid to change limits
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if limit() < _FEW:
        return f"only {limit()} files may be open, and every connection is one; raise LimitNOFILE of the service"
    return ""


def limit() -> int:
    """How many may be open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def scarce(*, again: bool = False) -> bool:
    """True when those that are left are needed for the connections that are open.

    `again` is for who has seen so before: it takes twice as many to see it otherwise.
    """
    reserve = min(_RESERVE, limit() // 8) * (2 if again else 1)
    try:
        return limit() - sum(1 for _ in _OPEN_FILES.iterdir()) < reserve
    except OSError:  # none is left to look with
        return True
