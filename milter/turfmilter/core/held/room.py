"""Room for held messages: how much is free, and why none can be held."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple


class UnusableQuarantine(Exception):
    """No message could be held here; the text says why, and ends with the command that fixes it."""


class Space(NamedTuple):
    """What a file system has of one kind, bytes or inodes: `free` and `total` units of `unit` each."""

    free: int
    total: int
    unit: int = 1

    @property
    def share(self) -> float:
        """The share that is free; 1 if the file system does not count this kind (btrfs: 0 of 0 inodes)."""
        return self.free / self.total if self.total else 1.0

    def below(self, floor: float) -> bool:
        """Return whether less than the share `floor` is free."""
        return self.free < floor * self.total

    def missing(self, floor: float) -> int:
        """Return how many bytes or inodes must become free to reach the share `floor`; 0 or less if none."""
        return ceil(floor * self.total - self.free) * self.unit
