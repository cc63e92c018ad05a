"""What rules see, made from a few words, and the clock and the DNS of a test's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from turfmilter.core.clients import ClientTable
from turfmilter.core.domains import Domains
from turfmilter.core.hosts import HostTable
from turfmilter.core.mailbox import parse_address
from turfmilter.core.pattern import parse_host
from turfmilter.core.ports import ClientNames
from turfmilter.core.readings import read_sender
from turfmilter.core.session import Connection, Envelope, Known, Recipient, Sender, Session
from turfmilter.core.tablefile import read_entries


@dataclass(frozen=True)
class Calendar:
    """A clock that stands still."""

    day: date = date(2027, 1, 31)

    def today(self) -> date:
        """The day."""
        return self.day

    def now(self) -> datetime:
        """Noon."""
        return datetime(self.day.year, self.day.month, self.day.day, 12, tzinfo=UTC)


class Unasked:
    """A look-up that must not be needed."""

    def result(self) -> ClientNames:
        """Fails the test."""
        raise AssertionError("DNS was waited for where no name could change the result")


def clients(*lines: str, exception_refuses: bool) -> ClientTable:
    """A list of clients."""
    entries, problems = read_entries(lines, "clients", parse_host)
    assert not problems
    return ClientTable(entries, exception_refuses=exception_refuses)


def domains(*lines: str) -> Domains:
    """Domains of ours."""
    entries, problems = read_entries(lines, "domains", parse_host)
    assert not [problem for problem in problems if not problem.warning]
    return Domains(HostTable(entries, exception_wins=True), Calendar())


def names(*confirmed: str, claimed: Sequence[str] = (), failed: bool = False) -> Known:
    """What DNS says."""
    return Known(ClientNames(confirmed, (*confirmed, *claimed), failed))


def session(
    client: str = "192.0.2.9",
    *,
    dns: Known | Unasked | None = None,
    sender: str = "<a@out.example>",
    params: tuple[str, ...] = (),
    recipients: int = 0,
    account: str = "",
    tls: bool = False,
    **more: int,
) -> Session:
    """A session in mid-transaction."""
    connection = Connection(client=parse_address(client), names=dns or Unasked(), host="mx.ours.example")
    envelope = Envelope(
        Sender(sender, params, read_sender(sender)), tuple(Recipient(f"<r{i}@o.x>") for i in range(recipients))
    )
    return Session(connection, account=account, tls=tls, envelope=envelope, **more)
