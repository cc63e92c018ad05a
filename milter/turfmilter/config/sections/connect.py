"""The section [connect]."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from turfmilter.config.kinds.tables import ClientEntries
from turfmilter.config.kinds.words import Choice, Default, Flag, ReplyLine
from turfmilter.config.setting import Unread, setting, unread
from turfmilter.core.clients import ClientTable
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.table.entries import Source


class OnNameError(Enum):
    """As OnError, for connect: whether "continue" would open anything depends on the default."""

    AUTO = "auto"
    TEMPFAIL = "tempfail"
    CONTINUE = "continue"


class ReplyAt(Enum):
    """When a client that may not connect receives the reply."""

    RCPT = "rcpt"
    CONNECT = "connect"


def _no_clients() -> ClientTable:
    return ClientTable((), exception_refuses=True)


@dataclass(frozen=True, slots=True)
class ConnectConfig:
    """Who may connect: only the clients listed, or all except those listed.

    The most specific entry in both lists decides; if two are equally specific, deny does.
    Mail to postmaster at our domains (RFC 5321 §4.5.1) and local submissions are not affected.
    """

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would refuse), or turn it off.", example="trial"
    )
    on_error: OnNameError = setting(
        Choice(OnNameError),
        "auto",
        "If a client's name decides and DNS does not answer: tell the client to try again later, or let it connect."
        ' "auto" means "tempfail" with default = "deny", and "continue" with default = "allow".',
        example="tempfail",
    )
    reply: Reply = setting(
        ReplyLine(),
        str(REPLIES["connect"]),
        "The reply to the client. A 4xx reply makes it try again later, which is safer while you test the rule.",
        example="554 5.7.1 no mail from here",
    )
    default: Default = setting(
        Choice(Default),
        "allow",
        "What applies to clients that neither list contains. With deny, only the clients in allow may connect.",
        example="deny",
    )
    allow: tuple[Source, ...] = setting(
        ClientEntries(),
        [],
        "Clients that may connect. A name matches only if DNS confirms it in both directions.",
        example=["192.168.1.0/24", "partner.example"],
    )
    deny: tuple[Source, ...] = setting(
        ClientEntries(),
        [],
        "Clients that must not connect. A name also matches if it is not confirmed.",
        example=["203.0.113.0/24", "dialup.example", "file:clients.deny"],
    )
    reply_at: ReplyAt = setting(
        Choice(ReplyAt),
        "rcpt",
        "When the client receives the reply: at each recipient, so that the log has sender and recipient, and"
        " exemptions work; or at connect, which costs least, has no exemptions, and leaves the text to the MTA.",
        example="connect",
    )
    spare_authenticated: bool = setting(
        Flag(), True, "True: authenticated clients may connect from anywhere.", example=False
    )
    clients: ClientTable = field(default_factory=_no_clients, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make one table of both lists: a denied client is an exception from those that may connect.

        `replace`, with which a listener overrides other keys of this section, keeps the table.
        """
        if unread(self.allow, self.deny):
            object.__setattr__(self, "clients", Unread("connect"))
            return
        sources = (*self.allow, *(replace(source, negated=True) for source in self.deny))
        if not self.clients.made_of(sources):
            object.__setattr__(self, "clients", ClientTable(sources, exception_refuses=True))

    @property
    def may_open(self) -> bool:
        """True if a client may connect although DNS did not answer."""
        if self.on_error is OnNameError.AUTO:
            return self.default is Default.ALLOW
        return self.on_error is OnNameError.CONTINUE
