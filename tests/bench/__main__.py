"""`python -m bench [--rounds N] [--smoke] [GROUP …]`: measure, print a table in Markdown, and write it as JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.catalogue import GROUPS, measure
from bench.report import Figure
from bench.table import markdown, progress, write_json
from bench.turns import Effort

_RESULT = Path(__file__).parents[2] / "build" / "bench" / "figures.json"


def main(arguments: list[str]) -> int:
    """Measure what the arguments select, or all figures; 1 if a target was missed, except with --smoke."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--rounds", type=int, default=Effort().rounds, help="of all contestants (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one round with sizes divided by 100: only to see it run")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=" ".join(GROUPS))
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no group {' '.join(unknown)}; there are: {' '.join(GROUPS)}")
    effort = Effort(1, 100) if chosen.smoke else Effort(chosen.rounds)
    figures: list[Figure] = []
    seconds: dict[str, float] = {}
    for figure in measure(chosen.groups or list(GROUPS), effort, seconds):
        figures.append(figure)
        print(progress(figure), flush=True)
    print("\n" + markdown(figures, seconds))
    write_json(figures, seconds, _RESULT)
    return 1 if any(figure.missed for figure in figures) and not chosen.smoke else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
