"""What a rule can see of a session.  Everything is immutable: a rule can only read.

These are named tuples, not dataclasses, because several are created for every message, and that is four times as fast.
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
    """A set of accounts; all accounts if `names` is None.

    A name without "@" also matches the user part, because Postfix reports alice@realm where Sendmail reports alice.
    Names are compared in lower case and not mapped any further (RFC 8265 §3.3): straße is not strasse.
    """

    names: frozenset[str] | None = None

    def __contains__(self, account: object) -> bool:
        """Return True if `account` is in the set; "" (not authenticated) never is."""
        if not isinstance(account, str) or not account or self.names is None:
            return bool(account)
        account = account.lower()
        return account in self.names or account.partition("@")[0] in self.names


class ClientNames(NamedTuple):
    """The names of one address in DNS, all folded.

    `claimed` are its PTR names, `confirmed` those of them whose A or AAAA records include the address.
    `failed` is True if a query was not answered: any claimed name may turn out to be confirmed, and if none is
    claimed there may be some.
    """

    confirmed: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    failed: bool = False


class UnderWay(Protocol):
    """A lookup that has been started, or will be when its result is needed."""

    @property
    def pending(self) -> bool:
        """True while `result` may have to wait."""

    def result(self) -> ClientNames:
        """Return the names; waits until the connection's deadline at most, then returns what is known."""


class Lookup(UnderWay, Protocol):
    """A lookup that can be started early; `result` starts it otherwise."""

    @property
    def known(self) -> ClientNames | None:
        """What `result` returned last, or would return without waiting; None if that is nothing."""

    def begin(self) -> None:
        """Start the lookup, unless it was started already; returns immediately."""


class Known(NamedTuple):
    """A lookup whose result is known."""

    names: ClientNames = ClientNames()

    @property
    def pending(self) -> bool:
        """Nothing is waited for."""
        return False

    @property
    def known(self) -> ClientNames:
        """The names."""
        return self.names

    def begin(self) -> None:
        """Do nothing: there is nothing to start."""

    def result(self) -> ClientNames:
        """Return the names."""
        return self.names


class Connection(NamedTuple):
    """The SMTP client and the listener to which it connected.

    `client` is its address, `name` the host name that the MTA confirmed ("" for none), `names` are those in DNS.
    `local_address`, `port` and `daemon` identify the listener; `host` is the MTA's own name ({j}).
    `local` is True for local submissions (sendmail(1), a unix socket), whose recipients are never refused.
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
        """True if this host connected to itself over SMTP, as far as the addresses tell.

        A content filter does so when it passes mail back to the MTA: its mail has been filtered here before.
        `local_address` is known only if a rule requests it (Fact.LOCAL_ADDRESS).
        """
        if self.local or self.client is None:
            return False
        client = unmapped(self.client)
        return client.is_loopback or (self.local_address is not None and client == unmapped(self.local_address))


class Sender(NamedTuple):
    """MAIL FROM: the text and the ESMTP parameters as received, and the address in the text."""

    text: str
    params: tuple[str, ...]
    mailbox: Mailbox


class Recipient(NamedTuple):
    """One RCPT TO: the text and the ESMTP parameters as received.

    `resolved` is the MTA's {rcpt_addr}, "" if unknown.  `mailbox` identifies the recipient for an MTA that removes
    recipients by mailbox (Sendmail); it is "" for an MTA that compares the text (Postfix).
    """

    text: str
    params: tuple[str, ...] = ()
    resolved: str = ""
    mailbox: str = ""


class Envelope(NamedTuple):
    """The sender, and the recipients that this filter has accepted so far."""

    sender: Sender
    recipients: Sequence[Recipient] = ()


class Session(NamedTuple):
    """Everything known at one stage.

    `listener` is the name of the listener's section, or else the name that the MTA reports for it.  `account` is the
    authenticated name, "" for none (ANONYMOUS counts as none).  `fields` are the values of the header fields that a
    rule reads, by name in lower case.  `size` is the number of bytes of this message received so far; `messages` and
    `octets` are the number and the bytes of earlier messages of this connection that were accepted.
    `today` is the day (UTC) on which the message began.  All table entries are compared with it, so that no entry
    expires between two decisions about one message.
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
