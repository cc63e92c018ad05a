"""Reads a text file of metrics, by rules of its own."""

from __future__ import annotations

import re

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


def read(text: str) -> dict[str, float]:
    """Each sample, by its name and labels as they are written.  Raises AssertionError for a line that is none."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            sample = _SAMPLE.fullmatch(line)
            assert sample, line
            name = line.rpartition(" ")[0]
            assert name not in found, f"{name} twice"
            found[name] = float(sample[3])
    return found
