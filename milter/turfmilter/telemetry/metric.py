"""Metrics as pure values: counters, gauges and histograms, added up and written in the Prometheus text format 0.0.4."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

# What one number counts: the name of a metric, and the values of its labels in their order.
Key = tuple[str, ...]
# Numbers by what they count.  Those of several processes are added key by key; see `add`.
Numbers = Mapping[Key, float]

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})  # of a label's value; HELP escapes no quotes


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its full `name`, its type, one sentence of `help`, and the names of its `labels`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()

    def samples(self, numbers: Numbers) -> Iterator[tuple[str, float]]:
        """Yield the name with labels and the value of each sample, in the order of the label values.

        `numbers` are those of this metric only.
        """
        for (_, *values), number in sorted(numbers.items()):
            yield f"{self.name}{labelled(self.labels, values)}", number


@dataclass(frozen=True, slots=True)
class Histogram(Metric):
    """A histogram of observations in the unit of its name, with the upper `bounds` of its buckets.

    It is made of counters, so that it is added up as they are: a key ends with the index of the bucket, in which only
    the observations above the previous bound are counted, or with "sum".  The text has cumulative buckets.
    """

    bounds: tuple[float, ...] = ()

    def keys(self, *labels: str) -> tuple[Key, ...]:
        """Return the keys of all buckets for these labels, in their order, and at last that of the sum."""
        ends = (*map(str, range(len(self.bounds) + 1)), "sum")
        return tuple((self.name, *labels, end) for end in ends)

    def bucket(self, observed: float) -> int:
        """Return the index of the bucket in which an observation is counted."""
        return bisect_left(self.bounds, observed)  # a bound belongs to its bucket: le means "at most"

    def samples(self, numbers: Numbers) -> Iterator[tuple[str, float]]:
        """Yield the cumulative buckets, the sum and the number of observations, for each combination of labels."""
        for values in sorted({key[1:-1] for key in numbers}):
            count = 0.0
            for index, bound in enumerate((*self.bounds, inf)):
                count += numbers.get((self.name, *values, str(index)), 0)
                le = "+Inf" if bound == inf else _number(bound)
                yield f"{self.name}_bucket{labelled((*self.labels, 'le'), (*values, le))}", count
            yield f"{self.name}_sum{labelled(self.labels, values)}", numbers.get((self.name, *values, "sum"), 0)
            yield f"{self.name}_count{labelled(self.labels, values)}", count


def add(numbers: Numbers, to: MutableMapping[Key, float]) -> None:
    """Add `numbers` to those in `to`, key by key."""
    for key, number in numbers.items():
        to[key] = to.get(key, 0) + number


def labelled(names: Sequence[str], values: Sequence[str]) -> str:
    """Return the labels as the text format writes them, such as `{rule="relay"}`; "" if there are none."""
    pairs = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True)]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def sampled(metrics: Iterable[Metric], numbers: Numbers) -> dict[str, float]:
    """Return the samples of `metrics` by name and labels, in the order of the metrics."""
    by_name: dict[str, dict[Key, float]] = {}
    for key, number in numbers.items():
        by_name.setdefault(key[0], {})[key] = number
    return dict(sample for metric in metrics for sample in metric.samples(by_name.get(metric.name, {})))


def exposition(metrics: Iterable[Metric], samples: Mapping[str, float]) -> str:
    """Return `samples` as a text file; metrics without a sample are left out."""
    by_name: dict[str, list[str]] = {}
    for sample, value in samples.items():
        by_name.setdefault(sample.partition("{")[0], []).append(f"{sample} {_number(value)}")
    lines: list[str] = []
    for metric in metrics:
        # A histogram's own name has no sample.  The buckets of one combination of labels precede its sum and count.
        names = [f"{metric.name}{end}" for end in (_PARTS if metric.kind == "histogram" else ("",))]
        if found := [line for name in names for line in by_name.get(name, ())]:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *found]
    return "".join(f"{line}\n" for line in lines)


_PARTS = ("_bucket", "_sum", "_count")


def _number(value: float) -> str:
    """Return a number as the text format writes it: as Go reads it, so without a superfluous ".0"."""
    return str(int(value)) if value == int(value) else repr(float(value))
