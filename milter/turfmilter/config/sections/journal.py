"""The section [journal]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from turfmilter.config.kinds.numbers import Size, Span
from turfmilter.config.kinds.words import AbsolutePath
from turfmilter.config.setting import setting


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """What is kept of each transaction: who sent what to whom, and what was decided, never a body or a subject.

    `turfctl explain`, `hunt`, `replay` and `report` read it. It is written outside of the sessions: mail never waits
    for it. While less than twice quarantine.floor is free, nothing is written.
    """

    directory: Path | None = setting(
        AbsolutePath("/var/lib/turfmilter/journal"),
        "",
        'The directory, which must belong to the filter\'s user, with mode 0750. With "", no journal is kept.',
        example="/var/lib/turfmilter/journal",
    )
    keep: timedelta = setting(Span(), "30d", "How long a transaction is kept.", example="90d")
    max_size: int = setting(
        Size(),
        "2 GiB",
        "The largest total size of the journal. Beyond it, the oldest files are removed. 0 means no limit.",
        example="10 GiB",
    )
