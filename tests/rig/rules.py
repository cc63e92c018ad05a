"""What rules are made of and what they see, made from a few words; the clock and the DNS are a test's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TypeVar

from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.address.readings import read_sender
from turfmilter.core.clients import ClientTable, Domains
from turfmilter.core.finding import Finding
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import ClientNames, Connection, Envelope, Known, Recipient, Sender, Session
from turfmilter.core.table.entries import Source, table_file
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.senders import SenderTable
from turfmilter.rules.turf import Spares

TODAY = date(2027, 1, 31)

T = TypeVar("T", HostTable, ClientTable, SenderTable)


@dataclass
class StoppedClock:
    """A clock that shows noon of `day` until it is set."""

    day: date = TODAY

    def today(self) -> date:
        """The day."""
        return self.day

    def now(self) -> datetime:
        """Noon of it."""
        return datetime.combine(self.day, time(12), UTC)


class Unasked:
    """A look-up that must not be needed."""

    @property
    def pending(self) -> bool:
        """Nothing has begun."""
        return True

    @property
    def known(self) -> None:
        """Nothing is known."""
        return

    def begin(self) -> None:
        """Fails the test."""
        raise AssertionError("DNS was asked where no name could change the result")

    def result(self) -> ClientNames:
        """Fails the test."""
        raise AssertionError("DNS was waited for where no name could change the result")


class RuleAt(Rule):
    """A rule that looks at `stages`, and at each of them returns what `sees` does or raises what it raises."""

    name = "rule"

    def __init__(self, *stages: Stage, sees: Callable[[], Finding | None] = lambda: None) -> None:
        self.stages = frozenset(stages)
        self._sees = sees

    def at_connect(self, _session: Session) -> Finding | None:
        """What `sees` returns."""
        return self._sees()

    def at_mail(self, _session: Session) -> Finding | None:
        """What `sees` returns."""
        return self._sees()

    def at_rcpt(self, _session: Session, _recipient: Recipient) -> Finding | None:
        """What `sees` returns."""
        return self._sees()

    def at_headers(self, _session: Session) -> Finding | None:
        """What `sees` returns."""
        return self._sees()

    def at_end(self, _session: Session) -> Finding | None:
        """What `sees` returns."""
        return self._sees()


def names(*confirmed: str, claimed: Sequence[str] = (), failed: bool = False) -> Known:
    """What DNS answers."""
    return Known(ClientNames(confirmed, (*confirmed, *claimed), failed))


def hosts(*lines: str) -> HostTable:
    """A table of addresses or domains.  Raises ValueError when a line is wrong."""
    return _sound(HostTable(_lines(lines), exception_wins=True))


def clients(*lines: str, exception_refuses: bool) -> ClientTable:
    """A list of clients.  Raises ValueError when a line is wrong."""
    return _sound(ClientTable(_lines(lines), exception_refuses=exception_refuses))


def domains(*lines: str) -> Domains:
    """Domains of ours.  Raises ValueError when a line is wrong."""
    return Domains(hosts(*lines))


def senders(*lines: str) -> SenderTable:
    """A table of mail addresses.  Raises ValueError when a line is wrong."""
    return _sound(SenderTable(_lines(lines)))


def spares(*trusted: str, authenticated: bool = True, local: bool = False) -> Spares:
    """Whose mail is not held: by default that of authenticated clients.  Raises ValueError when a line is wrong."""
    return Spares(authenticated, local, clients(*trusted, exception_refuses=True))


def _sound(table: T) -> T:
    errors = [str(problem) for problem in table.problems if not problem.warning]
    if errors:
        raise ValueError("\n".join(errors))
    return table


def _lines(lines: Sequence[str]) -> list[Source]:
    return [table_file("table", "\n".join(lines))]


def session(
    client: str = "192.0.2.9",
    *,
    dns: Known | Unasked | None = None,
    sender: str = "<a@out.example>",
    params: tuple[str, ...] = (),
    recipients: int = 0,
    account: str = "",
    tls: bool = False,
    size: int = 0,
    messages: int = 0,
    octets: int = 0,
    today: date = TODAY,
) -> Session:
    """A session in mid-transaction."""
    connection = Connection(client=parse_address(client), names=dns or Unasked(), host="mx.ours.example")
    envelope = Envelope(
        Sender(sender, params, read_sender(sender)), tuple(Recipient(f"<r{i}@o.x>") for i in range(recipients))
    )
    begun = Session(connection, account=account, tls=tls, envelope=envelope, today=today)
    return begun._replace(size=size, messages=messages, octets=octets)
