"""What rules are made of: tables out of lines, and a clock that stands where it is put."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from turfmilter.core.entry import Entry
from turfmilter.core.hosts import HostTable
from turfmilter.core.pattern import parse_host, parse_sender
from turfmilter.core.senders import SenderTable
from turfmilter.core.tablefile import Parse, read_entries


@dataclass
class StoppedClock:
    """A clock that shows noon of `day` until it is set."""

    day: date = date(2027, 1, 31)

    def today(self) -> date:
        """The day."""
        return self.day

    def now(self) -> datetime:
        """Noon of it."""
        return datetime.combine(self.day, time(12), UTC)


def hosts(*lines: str) -> HostTable:
    """A table of clients, interfaces or domains.  Raises ValueError when a line is wrong."""
    return HostTable(_entries(lines, parse_host), exception_wins=False)


def senders(*lines: str) -> SenderTable:
    """A table of mail addresses.  Raises ValueError when a line is wrong."""
    return SenderTable(_entries(lines, parse_sender))


def _entries(lines: tuple[str, ...], parse: Parse) -> list[Entry]:
    entries, problems = read_entries(lines, "table", parse)
    errors = [str(problem) for problem in problems if not problem.warning]
    if errors:
        raise ValueError("\n".join(errors))
    return entries
