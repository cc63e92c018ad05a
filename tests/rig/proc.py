"""What /proc shows of processes, any of which may end while it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

Seen = TypeVar("Seen")


def all_pids() -> list[int]:
    """The process ids of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def each(pids: Iterable[int], look: Callable[[Path], Seen]) -> dict[int, Seen]:
    """What `look` sees in the directory of each process; those that end meanwhile are left out."""
    found = {}
    for pid in pids:
        try:
            found[pid] = look(Path(f"/proc/{pid}"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
