"""The limit of open files of this process; without a free descriptor libmilter loops without any message."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")
_RESERVE = 64  # descriptors kept for messages, DNS and the log of open connections; at most an eighth of the limit
_FEW = 4096  # descriptors: each connection of the MTA needs one, and some for its message and for DNS


def raise_limit() -> str:
    """Raise RLIMIT_NOFILE to its hard limit; return a warning if that is low, else ""."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a service manager may prevent changes of limits
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if limit() < _FEW:
        return f"only {limit()} files may be open, and every connection needs one; raise LimitNOFILE of the service"
    return ""


def limit() -> int:
    """The number of files that this process may have open (the soft limit)."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def scarce(*, again: bool = False) -> bool:
    """True if the free descriptors are needed for the connections that are already open.

    With `again`, the door is already shut: it opens only when twice as many descriptors are free (hysteresis).
    """
    reserve = min(_RESERVE, limit() // 8) * (2 if again else 1)
    try:
        return limit() - sum(1 for _ in _OPEN_FILES.iterdir()) < reserve
    except OSError:  # not even one is free to read the directory
        return True
