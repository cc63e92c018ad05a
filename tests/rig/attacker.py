"""A process of the filter's user that has gone bad: it exchanges names in its directory while root works there."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rig.child import become, forked


class Attacker:
    """What the process has done so far."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    @property
    def strikes(self) -> int:
        """How often it has put its own in the place of what root had made."""
        return int(struct.unpack_from("Q", self._memory)[0])


@contextmanager
def attacking(strike: Callable[[], bool], *, user: str) -> Iterator[Attacker]:
    """Call `strike` again and again, in a process of `user`; it returns True when it was successful."""
    memory = mmap.mmap(-1, mmap.PAGESIZE)  # shared with the child

    def run() -> None:
        become(user)
        strikes = 0
        while True:
            with suppress(OSError):
                strikes += strike()
                struct.pack_into("Q", memory, 0, strikes)

    with forked(run):
        yield Attacker(memory)


def exchange(name: Path, other: Path) -> bool:
    """Put a link to `other` in the place of the name, once there is something, and remove it again."""
    if name.is_symlink() or not os.path.lexists(name):
        return False
    name.rename(name.with_name("away"))
    name.symlink_to(other)
    for _ in range(200):  # a while in which root finds it
        os.sched_yield()
    name.unlink()
    return True


def exchange_directory(directory: Path, other: Path) -> bool:
    """Put a link to the directory `other` in the place of `directory`, and that back again."""
    away = directory.with_name("away")
    directory.rename(away)
    try:
        directory.symlink_to(other)
        for _ in range(20):
            os.sched_yield()
        directory.unlink()
    finally:
        away.rename(directory)
    return True
