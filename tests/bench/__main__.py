"""`python -m bench [FIGURE …]`: measure, print the table, and write it as JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import bigtables, endurance, full, holds, mail, rates
from bench.report import HEAD, Figure, write_json
from rig.workplace import workplace

# In the order in which they are printed.
FIGURES: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "envelope": rates.envelope,
    "author": rates.author,
    "mail": mail.mail,
    "memory": bigtables.memory,
    "lookups": bigtables.lookups,
    "loading": bigtables.loading,
    "huge": bigtables.huge,
    "reload": endurance.reload,
    "quarantine": holds.holds,
    "full": full.full,
    "restarts": endurance.restarts,
    "idle": endurance.idle,
    "soak": endurance.soak,
}
_LONG = ("huge", "soak")  # measured only when asked for by name
_RESULT = Path(__file__).parents[2] / "build" / "bench" / "figures.json"


def main(names: list[str]) -> int:
    """Measure the figures called `names`, all but the long ones when there are none; 0 when all are reached."""
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"no figure {' '.join(unknown)}; there are: {' '.join(FIGURES)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    print(HEAD, flush=True)
    for name in names or [name for name in FIGURES if name not in _LONG]:
        begin = time.monotonic()
        with workplace() as place:
            for figure in FIGURES[name](place):
                figures.append(figure)
                print("\n".join(figure.lines()), flush=True)
        print(f"    ({name}: {time.monotonic() - begin:.0f} s)", flush=True)
    _RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(figures, _RESULT)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
