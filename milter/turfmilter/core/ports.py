"""What the pure floor needs from outside, as Protocols."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple, Protocol

from turfmilter.core.mailbox import IPAddress
from turfmilter.core.record import Record


class Clock(Protocol):
    """The day and the time, UTC."""

    def today(self) -> date:
        """The day on which entries expire."""

    def now(self) -> datetime:
        """The time that a held message bears."""


class ClientNames(NamedTuple):
    """What DNS says of one address, all names folded.

    `claimed` are its PTR names, `confirmed` those of them whose A or AAAA records lead back to the address.
    `failed` says that DNS did not tell all: any of the claimed names may be confirmed later, and where none is
    claimed there may be some.
    """

    confirmed: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    failed: bool = False


class UnderWay(Protocol):
    """A look-up under way for one connection."""

    def result(self) -> ClientNames:
        """The names; waits for them until the connection's deadline, then gives what is known with `failed`."""


class Lookup(UnderWay, Protocol):
    """A look-up that begins when it is asked to, and with `result` at the latest."""

    def begin(self) -> None:
        """Start it, unless that was done before; returns at once."""


class Names(Protocol):
    """Who looks names up."""

    def begin(self, address: IPAddress) -> UnderWay:
        """Start to look up the names of `address`; returns at once."""


Level = Literal["error", "warning", "info"]  # syslog's words


class Log(Protocol):
    """Where Records go."""

    def write(self, record: Record) -> None:
        """Queue one line; never blocks and never raises."""

    def say(self, level: Level, text: str) -> None:
        """Queue a sentence of the program's own; never blocks and never raises."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What stands in the block of our own headers above a held message.

    `sender` and `recipients` are texts without <>, each followed by its ESMTP parameters after a blank.
    """

    sender: str
    recipients: tuple[str, ...]
    client: str
    name: str
    helo: str
    account: str
    listener: str
    queue_id: str
    time: datetime
    rule: str
    entry: str


class QuarantineError(Exception):
    """The message could not be taken.  `full` says that there is no room (452), else it is trouble (451)."""

    def __init__(self, why: str, *, full: bool) -> None:
        super().__init__(why)
        self.full = full


class Draft(Protocol):
    """A message on its way into quarantine.  Nothing of it is visible before `commit` returns."""

    def write(self, data: bytes) -> None:
        """Append bytes of the message.  Raises QuarantineError."""

    def commit(self) -> str:
        """Make the message durable and visible, and return its id.  Raises QuarantineError."""

    def abandon(self) -> None:
        """Remove what was written.  Never raises."""


class Quarantine(Protocol):
    """Where messages are held."""

    def open(self, slip: Slip) -> Draft:
        """Begin a message.  Raises QuarantineError."""
