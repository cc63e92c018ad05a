"""All figures of the bench, in groups that are measured together."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import SubprocessError

from bench import bigtables, endurance, full, growth, holds, journals, mail, rates, sessions
from bench.report import Figure, Results
from bench.turns import Effort
from rig.workplace import workplace

# In the order in which they are measured.
GROUPS: dict[str, Callable[[Path, Effort], Iterator[Figure]]] = {
    "envelope": rates.envelope,
    "author": rates.author,
    "trial": sessions.trial,
    "fields": sessions.fields,
    "journal": sessions.journal,
    "mail": mail.mail,
    "quarantine": holds.holds,
    "idle": growth.idle,
    "restarts": endurance.restarts,
    "reload": endurance.reload,
    "memory": bigtables.memory,
    "lookups": bigtables.lookups,
    "loading": bigtables.loading,
    "full": full.full,
    "replay": journals.replays,
    "ask": journals.asked,
    "huge": bigtables.huge,
    "soak": growth.soak,
}


def measure(name: str, effort: Effort, results: Results) -> Iterator[Figure]:
    """Measure one group, and add its figures and its time to `results`.

    A program that fails breaks its group only: what follows would otherwise be lost.
    """
    begin = time.monotonic()
    try:
        with workplace() as place:
            for figure in GROUPS[name](place, effort):
                results.figures.append(figure)
                yield figure
    except (OSError, RuntimeError, SubprocessError) as error:
        traceback.print_exc()
        results.broken[name] = f"{type(error).__name__}: {error}".partition("\n")[0]
    results.seconds[name] = time.monotonic() - begin
