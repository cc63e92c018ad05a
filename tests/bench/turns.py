"""Runs in turns: whatever else the machine does, it does to all contestants alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Effort:
    """How much is measured: `rounds` of all contestants, and the `divisor` of every size (1, except in a trial run)."""

    rounds: int = 9
    divisor: int = 1

    def of(self, size: int) -> int:
        """A number of sessions, messages or entries, as far as they are measured."""
        return max(size // self.divisor, 1)


def in_turns(rounds: int, contestants: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """What each contestant's run gave, one run of each in turn; the first turn is to warm up and not counted."""
    results: dict[str, list[T]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            result = run()
            if turn:
                results[name].append(result)
    return results
