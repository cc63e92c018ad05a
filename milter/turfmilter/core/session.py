"""What a rule may see of a session.  All of it is frozen: a rule can only read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from turfmilter.core.authors import Authors
from turfmilter.core.mailbox import IPAddress, Mailbox


class Lookup(Enum):
    """The MTA's own look-up of the client's name ({client_resolve}); only OK is final."""

    OK = "OK"
    FAIL = "FAIL"
    FORGED = "FORGED"
    TEMP = "TEMP"


@dataclass(frozen=True, slots=True)
class Connection:
    """The SMTP peer and the listener that it reached.

    `name` is the forward-confirmed host name, `claimed` the unconfirmed PTR name; "" is unknown.
    `local` marks local submissions (sendmail(1), a unix socket): no recipient of theirs is ever refused.
    """

    client: IPAddress | None = None
    name: str = ""
    claimed: str = ""
    lookup: Lookup = Lookup.FAIL
    local_address: IPAddress | None = None
    port: int = 0
    daemon: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """MAIL FROM: the text and the ESMTP parameters as they came, and the address in it."""

    text: str
    params: tuple[str, ...]
    mailbox: Mailbox


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: the text and the ESMTP parameters as they came, and the MTA's {rcpt_addr} ("" unknown)."""

    text: str
    params: tuple[str, ...] = ()
    resolved: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender and the recipients that this filter has let pass so far."""

    sender: Sender
    recipients: tuple[Recipient, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """Everything known at this stage.  `account` is the authenticated name, "" for none (ANONYMOUS is none)."""

    connection: Connection
    helo: str = ""
    tls: bool = False
    account: str = ""
    envelope: Envelope | None = None
    authors: Authors | None = None


def bare(text: str) -> str:
    """An address argument without its <>."""
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text
