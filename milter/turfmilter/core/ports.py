"""The interfaces, as Protocols, that core needs and the adapters implement."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, Protocol

from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.report import Record, Slip
from turfmilter.core.session import UnderWay


class Clock(Protocol):
    """The current day and time, in UTC."""

    def today(self) -> date:
        """Return the current day, by which entries expire."""

    def now(self) -> datetime:
        """Return the current time, which is recorded in a held message."""


class Names(Protocol):
    """Looks up names in DNS."""

    def begin(self, address: IPAddress) -> UnderWay:
        """Start a lookup of the names of `address`; returns immediately."""


Level = Literal["error", "warning", "info"]  # syslog's words


class Log(Protocol):
    """The log of the program."""

    def write(self, record: Record) -> None:
        """Queue the line for one record.  Never blocks and never raises."""

    def say(self, level: Level, text: str) -> None:
        """Queue a message of the program itself.  Never blocks and never raises."""


class QuarantineError(Exception):
    """The message could not be stored.  `full` is True if there is no room (452), False after any other error (451)."""

    def __init__(self, why: str, *, full: bool) -> None:
        super().__init__(why)
        self.full = full


class Draft(Protocol):
    """A message that is being written to the quarantine.  Nothing of it is visible before `commit` returns."""

    def write(self, data: bytes) -> None:
        """Append bytes to the message.  Raises QuarantineError."""

    def commit(self) -> str:
        """Make the message durable and visible; return its id.  Raises QuarantineError."""

    def abandon(self) -> None:
        """Remove everything that was written.  Never raises."""


class Quarantine(Protocol):
    """The place where messages are held."""

    def open(self, slip: Slip) -> Draft:
        """Begin a message, and return its draft.  Raises QuarantineError."""
