"""What a figure consists of: the values of each contestant, a target, and whether it was reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Target:
    """The bound that a figure has to keep."""

    bound: float
    least: bool  # True: at least, False: at most

    def reached(self, value: float) -> bool:
        """True when `value` keeps the bound."""
        return value >= self.bound if self.least else value <= self.bound


def at_least(bound: float) -> Target:
    """`bound` or more."""
    return Target(bound, True)


def at_most(bound: float) -> Target:
    """`bound` or less."""
    return Target(bound, False)


@dataclass(frozen=True)
class Samples:
    """The values that the runs of one contestant gave, in the order of the turns.  `unit` follows a number directly."""

    who: str
    values: Sequence[float]
    unit: str = ""

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    def against(self, reference: Samples) -> Samples:
        """The ratios turn by turn; NaN, which reaches no target, where the reference measured nothing."""
        pairs = zip(self.values, reference.values, strict=True)
        return Samples(self.who, [one / other if other else math.nan for one, other in pairs])

    def __str__(self) -> str:
        """The median, and from where to where."""
        text = f"{number(self.median)}{self.unit}"
        if len(self.values) == 1:
            return text
        return f"{text} ({number(min(self.values))} to {number(max(self.values))})"


@dataclass(frozen=True)
class Figure:
    """One row of the table: what was measured, beside the `reference` of the same turns if there is one.

    The target is about the ratio to the reference, or about the value itself if there is no reference or if
    `absolute`. A row without a target is there for comparison. With a `fault` the target is missed whatever was
    measured, because of lost sessions for example. `limit` explains what bounds the figure; it is shown where the
    target is missed. `details` are shown while the bench runs.
    """

    name: str
    measured: Samples
    reference: Samples | None = None
    target: Target | None = None
    absolute: bool = False
    fault: str = ""
    limit: str = ""
    details: tuple[str, ...] = ()

    @property
    def ratio(self) -> Samples | None:
        """Measured against reference, turn by turn."""
        return self.measured.against(self.reference) if self.reference else None

    @property
    def judged(self) -> Samples:
        """What the target is about."""
        ratio = self.ratio
        return self.measured if ratio is None or self.absolute else ratio

    @property
    def missed(self) -> bool:
        """True if there is a target and it was not reached."""
        return bool(self.fault) or (self.target is not None and not self.target.reached(self.judged.median))

    @property
    def verdict(self) -> str:
        """`reached`, `missed`, or nothing without a target."""
        if self.missed:
            return f"missed: {self.fault}" if self.fault else "missed"
        return "reached" if self.target else ""

    @property
    def bound(self) -> str:
        """The target as text."""
        if self.target is None:
            return ""
        return f"{'at least' if self.target.least else 'at most'} {number(self.target.bound)}{self.judged.unit}"


@dataclass(frozen=True)
class Results:
    """What a run of the bench has found so far: by group its `seconds`, and why it is `broken`."""

    figures: list[Figure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """True if everything could be measured and no target was missed."""
        return not (self.broken or any(figure.missed for figure in self.figures))


def number(value: float) -> str:
    """Three digits or a few more, with commas: 12,345, 123, 12.3, 1.23, 0.012.  A count is not rounded: 0, 12."""
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or not value else f"{value:.3f}"
