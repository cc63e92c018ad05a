"""All figures of the bench, in groups that are measured together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import bigtables, endurance, full, growth, holds, mail, rates, sessions
from bench.report import Figure
from bench.turns import Effort
from rig.workplace import workplace

# In the order in which they are measured.
GROUPS: dict[str, Callable[[Path, Effort], Iterator[Figure]]] = {
    "envelope": rates.envelope,
    "author": rates.author,
    "trial": sessions.trial,
    "fields": sessions.fields,
    "mail": mail.mail,
    "quarantine": holds.holds,
    "idle": growth.idle,
    "restarts": endurance.restarts,
    "reload": endurance.reload,
    "memory": bigtables.memory,
    "lookups": bigtables.lookups,
    "loading": bigtables.loading,
    "full": full.full,
    "huge": bigtables.huge,
    "soak": growth.soak,
}


def measure(names: Sequence[str], effort: Effort, seconds: dict[str, float]) -> Iterator[Figure]:
    """Measure the groups called `names`; how long each took is added to `seconds`."""
    for name in names:
        begin = time.monotonic()
        with workplace() as place:
            yield from GROUPS[name](place, effort)
        seconds[name] = time.monotonic() - begin
