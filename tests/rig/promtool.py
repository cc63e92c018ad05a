"""Prometheus' promtool, which tests/rig/install puts into build/: it reads metrics and rules as Prometheus does."""

from __future__ import annotations

import subprocess
from pathlib import Path

PROMTOOL = Path(__file__).parents[2] / "build" / "prometheus" / "promtool"


def promtool(*arguments: str | Path, given: str = "") -> str:
    """Run promtool with `given` on standard input; return what it prints.  Raises AssertionError unless it exits 0."""
    done = subprocess.run([PROMTOOL, *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
