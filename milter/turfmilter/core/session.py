"""What a rule may see of a session.  All of it is frozen: a rule can only read.

Named tuples and not dataclasses: several of them are made for every message, and they are made four times as fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import NamedTuple, Protocol

from turfmilter.core.address.authors import Authors
from turfmilter.core.address.mailbox import IPAddress, Mailbox, unmapped


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts that a rule is about; with `names` None every account.

    A name without "@" matches the user part, because Postfix says alice@realm where Sendmail says alice.
    Names are in lower case, which is all that is folded (RFC 8265 §3.3): straße is not strasse.
    """

    names: frozenset[str] | None = None

    def __contains__(self, account: object) -> bool:
        """True for an authenticated `account` that is meant; "" is nobody."""
        if not isinstance(account, str) or not account or self.names is None:
            return bool(account)
        account = account.lower()
        return account in self.names or account.partition("@")[0] in self.names


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

    @property
    def pending(self) -> bool:
        """True while `result` may have to wait."""

    def result(self) -> ClientNames:
        """The names; waits for them until the connection's deadline, then gives what is known with `failed`."""


class Lookup(UnderWay, Protocol):
    """A look-up that begins when it is asked to, and with `result` at the latest."""

    def begin(self) -> None:
        """Start it, unless that was done before; returns at once."""


class Known(NamedTuple):
    """A Lookup that needs no waiting."""

    names: ClientNames = ClientNames()

    @property
    def pending(self) -> bool:
        """Nothing is waited for."""
        return False

    def begin(self) -> None:
        """There is nothing to start."""

    def result(self) -> ClientNames:
        """What is known."""
        return self.names


class Connection(NamedTuple):
    """The SMTP peer and the listener that it reached.

    `name` is the host name that the MTA has confirmed, "" for none; `names` is what DNS says.
    `daemon` and `port` tell the listener, `host` is the MTA's own name ({j}).
    `local` marks local submissions (sendmail(1), a unix socket): no recipient of theirs is ever refused.
    """

    client: IPAddress | None = None
    name: str = ""
    names: Lookup = Known()
    local_address: IPAddress | None = None
    port: int = 0
    daemon: str = ""
    host: str = ""
    local: bool = False

    @property
    def from_itself(self) -> bool:
        """True when this host has connected to itself over SMTP, as far as addresses tell.

        A content filter that gives mail back does so: what such a client sends may have come in here before.
        `local_address` is known only where a rule asks for it.
        """
        if self.local or self.client is None:
            return False
        client = unmapped(self.client)
        return client.is_loopback or (self.local_address is not None and client == unmapped(self.local_address))


class Sender(NamedTuple):
    """MAIL FROM: the text and the ESMTP parameters as they came, and the address in it."""

    text: str
    params: tuple[str, ...]
    mailbox: Mailbox


class Recipient(NamedTuple):
    """One RCPT TO: the text and the ESMTP parameters as they came, and the MTA's {rcpt_addr} ("" unknown).

    `mailbox` is what an MTA that removes recipients by their mailbox goes by (Sendmail), "" where the text decides.
    """

    text: str
    params: tuple[str, ...] = ()
    resolved: str = ""
    mailbox: str = ""


class Envelope(NamedTuple):
    """Sender and the recipients that this filter has let pass so far."""

    sender: Sender
    recipients: Sequence[Recipient] = ()


class Session(NamedTuple):
    """Everything known at this stage.  `listener` has the name of its section, else the one that the MTA gives it.

    `account` is the authenticated name, "" for none (ANONYMOUS is none).  `fields` are the header fields that a
    rule wants, by lower-case name.  `size` are the bytes seen of this message; `messages` and `octets` are those
    of earlier messages of this connection that were accepted.  `today` is the day (UTC) on which the message began,
    by which every table entry in it is judged: no entry expires between two decisions about one message.
    """

    connection: Connection
    listener: str = ""
    helo: str = ""
    tls: bool = False
    account: str = ""
    envelope: Envelope | None = None
    authors: Authors | None = None
    fields: Mapping[str, Sequence[str]] = MappingProxyType({})
    size: int = 0
    messages: int = 0
    octets: int = 0
    today: date = date.min
