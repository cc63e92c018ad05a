"""What a figure says: measured, reference, target, reached or not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """The bound that a figure has to keep."""

    bound: float
    least: bool  # True: at least, False: at most
    unit: str = ""

    def reached(self, value: float) -> bool:
        """True when `value` keeps the bound."""
        return value >= self.bound if self.least else value <= self.bound

    def __str__(self) -> str:
        return f"{'at least' if self.least else 'at most'} {_short(self.bound)}{self.unit}"


def at_least(bound: float, unit: str = "") -> Target:
    """`bound` or more."""
    return Target(bound, True, unit)


def at_most(bound: float, unit: str = "") -> Target:
    """`bound` or less."""
    return Target(bound, False, unit)


@dataclass(frozen=True)
class Figure:
    """One line of the table.  `judged` is what the target is about: a ratio to the reference, or a number.

    `limit` says by what measurement the figure is bounded; it is shown where the target is not reached.
    """

    name: str
    measured: str
    reference: str
    judged: float
    target: Target
    details: tuple[str, ...] = ()
    limit: str = ""
    numbers: dict[str, object] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """True when the target is kept."""
        return self.target.reached(self.judged)

    def lines(self) -> Iterable[str]:
        """As it is printed."""
        verdict = "reached" if self.reached else "NOT REACHED"
        judged = f"{_short(self.judged)}{self.target.unit}"
        yield f"{self.name:44} {self.measured:>16} {self.reference:>16} {judged:>10}  {self.target!s:17} {verdict}"
        yield from (f"    {detail}" for detail in self.details)
        if self.limit and not self.reached:
            yield f"    the limit: {self.limit}"


HEAD = f"{'figure':44} {'measured':>16} {'reference':>16} {'':>10}  {'target':17}"


def write_json(figures: Iterable[Figure], path: Path) -> None:
    """All figures for another program."""
    rows = [
        {**asdict(figure), "target": str(figure.target), "reached": figure.reached, "limit": figure.limit}
        for figure in figures
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"
