"""Runs in turns: whatever else the machine does, it does to all contestants alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")

RUNS = 9


def in_turns(runs: int, contestants: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """What each contestant's run gave, one run of each in turn; the first turn is to warm up and not counted."""
    results: dict[str, list[T]] = {name: [] for name in contestants}
    for turn in range(runs + 1):
        for name, run in contestants.items():
            result = run()
            if turn:
                results[name].append(result)
    return results


def ratio(measured: Sequence[float], reference: Sequence[float]) -> float:
    """The median of the ratios turn by turn."""
    return median(one / other for one, other in zip(measured, reference, strict=True))


def spread(values: Sequence[float]) -> str:
    """The median, and from where to where."""
    return f"{median(values):.4g} ({min(values):.4g} to {max(values):.4g})"
