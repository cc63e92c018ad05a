"""`python -m bench [--rounds N] [--smoke] [GROUP …]`: measure, print a table in Markdown, and write it as JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.catalogue import GROUPS, measure
from bench.report import Results
from bench.table import markdown, progress, write_json
from bench.turns import Effort

_RESULT = Path(__file__).parents[2] / "build" / "bench" / "figures.json"


def main(arguments: list[str]) -> int:
    """Measure what the arguments select, or all figures; 1 if any target was missed, except with --smoke."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--rounds", type=int, default=Effort().rounds, help="of all contestants (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="one round with sizes divided by 100: only to see it run")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=" ".join(GROUPS))
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no group {' '.join(unknown)}; there are: {' '.join(GROUPS)}")
    effort = Effort(1, 100) if chosen.smoke else Effort(chosen.rounds)
    results = Results()
    for name in chosen.groups or GROUPS:
        for figure in measure(name, effort, results):
            print(progress(figure), flush=True)
    print("\n" + markdown(results))
    write_json(results, _RESULT)
    return 0 if results.reached or chosen.smoke else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
