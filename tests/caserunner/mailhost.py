"""The mail host of the cases: one and the same, whichever MTA runs it.  tests/cases/README.md describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rig.sink import Delivery
from rig.smtp import SmtpReply
from rig.zone import claimed, named

NAME = "mx.rig.test"
NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
OURS = ("rig.test", "moved.rig.test")
RELAYED = "relay.test"
TRUSTED = ("192.0.2.0/24", "127.0.0.1")
ACCOUNTS = {"alice": "wonderland", "news": "today"}
ALIASES = {"info@rig.test": "info@elsewhere.test", "team@rig.test": "bob@rig.test"}
# Names of clients in DNS.
ZONE = (
    named("198.51.100.11", "mail.out.test")
    + claimed("198.51.100.12", "mail.out.test")
    + named("198.51.100.14", "a.other.test", "b.out.test")
    + named("198.51.100.20", "host.other.test")
    + claimed("198.51.100.21", "host.other.test")
    + named("2001:db8::11", "six.out.test")
    + "out.test 300 A 198.51.100.1\nturf.test 300 A 198.51.100.1\nelsewhere.test 300 A 198.51.100.1\n"
)

LOCAL = ("pipe", "unix socket")
ACTIONS = (
    "tls",
    "tls with a certificate",
    "login [a-z]+ [a-z]+",
    "filter is killed",
    "filter falls asleep",
    "filter wakes up",
    "filter starts",
    r"connect from \S+ to [a-z-]+",
)
MESSAGE = b"From: Anna <anna@out.test>\r\nTo: bob@rig.test\r\nSubject: hello\r\n\r\nhello\r\n"


@dataclass(frozen=True)
class Listener:
    """One SMTP service; `missing` is what it does while the filter is down, or silent for `patience` seconds.

    "unset" is the MTA's own default.
    """

    address: str
    port: int
    daemon: str = "inbound"
    missing: str = "tempfail"
    patience: int = 30


LISTENERS = {
    "inbound": Listener("192.0.2.25", 25),
    "loopback": Listener("127.0.0.1", 25),
    "inbound6": Listener("2001:db8::25", 25),
    "second": Listener("203.0.113.25", 25),
    "submission": Listener("192.0.2.25", 587, "submission"),
    "impatient": Listener("192.0.2.25", 2500, patience=3),
    "accepting": Listener("192.0.2.25", 2501, missing="accept", patience=3),
    "rejecting": Listener("192.0.2.25", 2502, missing="reject", patience=3),
    "closing": Listener("192.0.2.25", 2503, missing="close", patience=3),
    "unset": Listener("192.0.2.25", 2504, missing="unset", patience=3),
}


class Talk(Protocol):
    """One SMTP session, seen from the client; `banner` is the server's greeting."""

    banner: SmtpReply

    def send(self, data: bytes) -> None:
        """Any bytes at all."""

    def reply(self) -> SmtpReply:
        """The next reply.  Raises ConnectionError when the server has closed."""

    def secure(self, authority: Path, own: Path | None = None, /) -> None:
        """Begin TLS after the 220 to STARTTLS, with our `own` certificate if there is one."""

    def close(self) -> None:
        """Disconnect."""


class Mta(Protocol):
    """One MTA with the set-up of this module; `certificate` is its own authority, `version` such as (3, 7)."""

    certificate: Path
    version: tuple[int, int]

    def start(self) -> None:
        """Start, and return when it serves."""

    def stop(self) -> None:
        """End it."""

    def connect(self, listener: str, client: str) -> Talk:
        """A client's connection to a listener; a client of LOCAL talks to `sendmail -bs`."""

    def submit(self, arguments: Sequence[str], message: bytes, /) -> None:
        """Hand a message to sendmail(1)."""

    def clear(self) -> None:
        """Forget what was delivered."""

    def delivered(self) -> list[Delivery]:
        """Everything that was delivered, once there is nothing more to deliver."""

    def plain(self, reply: SmtpReply) -> str:
        """A reply without what this MTA puts before the text of a filter."""
