"""What the pure floor needs from outside, as Protocols."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, Protocol

from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.report import Record, Slip
from turfmilter.core.session import UnderWay


class Clock(Protocol):
    """The day and the time, UTC."""

    def today(self) -> date:
        """The day on which entries expire."""

    def now(self) -> datetime:
        """The time that a held message bears."""


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
