"""What one line of the log says: its fields are the log's keys, in their order."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """One message or one refusal.  Absent values are "", (), 0 for counts and None for size, and left out."""

    queue_id: str = ""
    client: str = ""
    name: str = ""
    helo: str = ""
    account: str = ""
    listener: str = ""
    sender: str | None = None
    nrcpt: int = 0
    rcpt: tuple[str, ...] = ()
    size: int | None = None
    verdict: str = ""
    rule: str = ""
    entry: str = ""
    saw: str = ""
    trial: tuple[str, ...] = ()
    id: str = ""
    reply: str = ""
    gen: int = 0
    ms: int = 0
