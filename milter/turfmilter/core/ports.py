"""The interfaces, as Protocols, that core needs and the adapters implement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import BinaryIO, Literal, Protocol, TypeVar

from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.held.ledger import Line, Mark
from turfmilter.core.held.message import Flag, Message, Sighting, Status
from turfmilter.core.held.room import Space
from turfmilter.core.held.selection import By, Group, Selection
from turfmilter.core.held.summary import Held
from turfmilter.core.report import Record, Slip, Trial
from turfmilter.core.session import UnderWay
from turfmilter.core.steadiness import Course, Reading

T = TypeVar("T")


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


TimedStage = Literal["rcpt", "end"]  # the answers whose time is measured: to RCPT TO, and to the end of the message


class Counts(Protocol):
    """Counts what becomes of connections and messages, for the metrics.

    Any thread may call it; no method blocks or raises.  `listener` is the name of a section, "" for none; `rule` is ""
    if the answer comes from no rule.
    """

    def connected(self, listener: str) -> None:
        """Count a client of the MTA."""

    def refused(self, listener: str, rule: str, verdict: str) -> None:
        """Count a connection, a recipient or a message that was rejected or deferred."""

    def answered(self, listener: str, verdict: str) -> None:
        """Count a message that received its final answer."""

    def tried(self, trials: Iterable[Trial]) -> None:
        """Count what rules in trial mode would have done with a message."""

    def took(self, stage: TimedStage, seconds: float) -> None:
        """Count the time until an answer."""

    def held(self, rule: str, seconds: float) -> None:
        """Count a held message, and the time from its end until it was safe."""

    def not_held(self, *, full: bool) -> None:
        """Count a message that could not be held, because there was no room (`full`) or for another reason."""

    def failed(self) -> None:
        """Count an error in the program."""


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


class Ledger(Protocol):
    """Who did what to which held message, and what came of it.  Lines are only ever added.

    Every method raises LedgerError if the ledger cannot be read or written.
    """

    def append(self, line: Line, *, durable: bool = True) -> None:
        """Add a line.  It survives a crash once this returns, unless it need not be `durable`."""

    def lines(self, ids: Iterable[str] | None = None) -> Iterator[Line]:
        """Yield all lines in their order, or only those about the messages `ids`; damaged lines are left out."""

    def unfinished(self, act: str) -> Collection[str]:
        """Return the ids of messages for which an intent to `act` has no outcome."""

    def added(self, after: Mark) -> tuple[Mark, list[Line]]:
        """Return the lines that follow `after`, and the mark that follows them; of a new ledger, all lines.

        The mark at the beginning is Mark().  A line that is being written is left to the next call.
        """

    def damaged(self) -> Iterator[int]:
        """Yield the numbers of the lines that cannot be read; the first line is 1."""

    def expect(self, ids: Iterable[str]) -> None:
        """Announce messages that `about` will be called for, so that one reading serves all of them."""

    def about(self, id: str) -> Sequence[Line]:
        """Return the lines about one message as they are at this moment, in their order."""


class Room(Protocol):
    """The room that a quarantine has for further messages."""

    def free(self) -> tuple[Space, Space]:
        """Return how many bytes and how many inodes are free.  Raises OSError."""

    def settle(self, full: str) -> None:
        """Let no message be held because of `full`, or let messages be held again if it is "".  Raises OSError."""


class OpenMessage(Protocol):
    """A held message open for reading; a context manager that closes it."""

    @property
    def file(self) -> BinaryIO:
        """The block and the message, byte for byte as they were held."""

    @property
    def size(self) -> int:
        """The number of bytes in `file`."""

    @property
    def written(self) -> datetime:
        """When these bytes were written, UTC: all that is known about the age of a message without a block."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep others from releasing or removing the message meanwhile.

        Raises BlockingIOError if another desk has the lock, and OSError.
        """

    def __enter__(self) -> OpenMessage: ...

    def __exit__(self, *_: object) -> None: ...


class HeldMessages(Protocol):
    """The messages that one store holds: a quarantine directory, or a database.

    A Message is what the store listed at some moment.  If its flags have changed since, `open`, `status` and `remove`
    raise FileNotFoundError, as they do if it is gone: what is known about it must be looked at again first (`again`).
    What `newest`, `count`, `groups` and `quarters` tell may lack messages that were held after the store was opened.
    If the store fails, every method raises OSError, whatever the store is; its `strerror` says why.
    """

    @property
    def name(self) -> str:
        """The name of the store for people, and by which retention remembers it: a directory."""

    @property
    def ledger(self) -> Ledger:
        """The ledger about these messages."""

    @property
    def room(self) -> Room:
        """The room in which they are held."""

    def newest(self, selection: Selection, limit: int = 0) -> list[Held]:
        """Return the selected messages, the newest first, at most `limit` of them; 0 returns all.

        Each is checked: a message that is gone, or has other flags by now, is not returned.
        """

    def count(self, selection: Selection) -> int:
        """Return the number of selected messages."""

    def groups(self, selection: Selection, by: By) -> list[Group]:
        """Return the selected messages counted by what they have in common, in any order."""

    def quarters(self, selection: Selection) -> Mapping[datetime, int]:
        """Return how many of the selected messages were held in each quarter of an hour, by its beginning, UTC.

        Quarters without any are left out.  The days of every time zone consist of whole quarters.
        """

    def every(self) -> Iterator[Message]:
        """Yield all messages in any order.  One whose flags change meanwhile may come twice, or not at all."""

    def named(self, beginnings: Sequence[str]) -> list[list[Message]]:
        """Return for each of `beginnings` the messages whose id begins so, in the order of their ids.

        Ids are compared as people see them (shown_id), in any case and with or without "-" (fold_id).  "" and
        "-" are the beginning of none.
        """

    def again(self, message: Message) -> Message:
        """Return the message with the flags that it has now.  Raises FileNotFoundError if it is gone."""

    def status(self, message: Message) -> Status:
        """Return its size, and when its flags last changed.  Raises FileNotFoundError."""

    def open(self, message: Message) -> OpenMessage:
        """Open the message for reading.  Raises FileNotFoundError, and NotAMessage if it is not one."""

    def require_changeable(self) -> None:
        """Raise NewerFormat if a newer version of the program has written here: nothing may then be changed."""

    def mark(self, message: Message, *, add: Collection[Flag] = (), remove: Collection[Flag] = ()) -> Message:
        """Add and remove flags, whatever others do to the message meanwhile, and return it as it is then.

        All other flags are kept.  Raises FileNotFoundError if it is gone, FileExistsError if another message is in
        the way, and NewerFormat.
        """

    def remove(self, message: Message) -> None:
        """Remove the message permanently.  Raises FileNotFoundError and NewerFormat."""


class RetentionMemory(Protocol):
    """What this host has observed of its clock and of held messages.

    Each method is one transaction, and raises StateError.  `watched` is Course.watched, in seconds.
    """

    def observe(self, now: Reading) -> Course:
        """Record a reading of the clocks, and return how they have run so far."""

    def seen(self, store: str, present: Collection[Sighting], watched: float) -> dict[Sighting, float]:
        """Return for how many seconds each message in `store` has been seen as it is; forget those not `present`."""

    def left(self, store: str, most: int, watched: float) -> int:
        """Return how many of the `most` unreviewed messages that may be removed in an hour are left in this one."""

    def take(self, store: str, wanted: int, most: int, watched: float) -> int:
        """Count up to `wanted` messages as removed in this hour, at most as many as `left`; return how many."""


class Progress(Protocol):
    """Shows people how far a long reading is."""

    def __call__(self, things: Sequence[T], /) -> Iterable[T]:
        """Yield the things one by one."""
