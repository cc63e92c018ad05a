"""The section [connect]."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from turfmilter.config.kinds.tables import ClientEntries
from turfmilter.config.kinds.words import Choice, Default, Flag, ReplyLine
from turfmilter.config.setting import setting
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
    """When a client that may not connect is told."""

    RCPT = "rcpt"
    CONNECT = "connect"


def _nobody() -> ClientTable:
    return ClientTable((), exception_refuses=True)


@dataclass(frozen=True, slots=True)
class ConnectConfig:
    """Who may connect: only the clients listed, or all except those listed.

    The most specific entry of both lists decides; on a tie deny does.
    Postmaster at our domains (RFC 5321 §4.5.1) and local submissions are let through.
    """

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would refuse), or turn it off.", example="trial"
    )
    on_error: OnNameError = setting(
        Choice(OnNameError),
        "auto",
        "When a client's name decides and DNS does not answer: tell the client to come back, or let it connect."
        ' "auto" is "tempfail" with default = "deny" and "continue" with default = "allow".',
        example="tempfail",
    )
    reply: Reply = setting(
        ReplyLine(),
        str(REPLIES["connect"]),
        "What the client hears. A 4xx reply makes it try again, which helps while you are unsure.",
        example="554 5.7.1 no mail from here",
    )
    default: Default = setting(
        Choice(Default),
        "allow",
        "For clients that neither list names. With deny only the clients in allow may connect.",
        example="deny",
    )
    allow: tuple[Source, ...] = setting(
        ClientEntries(),
        [],
        "Clients that may connect. A name needs DNS to confirm it in both directions.",
        example=["192.168.1.0/24", "partner.example"],
    )
    deny: tuple[Source, ...] = setting(
        ClientEntries(),
        [],
        "Clients that may not connect. A name also matches a client whose name is not confirmed.",
        example=["203.0.113.0/24", "dialup.example", "file:clients.deny"],
    )
    reply_at: ReplyAt = setting(
        Choice(ReplyAt),
        "rcpt",
        "When the client hears it: at each recipient, so that the log names sender and recipient and those whom"
        " the rule spares can be spared; or at once, which is cheapest, spares nobody and leaves the text to the MTA.",
        example="connect",
    )
    spare_authenticated: bool = setting(
        Flag(), True, "True: authenticated clients may connect from anywhere.", example=False
    )
    clients: ClientTable = field(default_factory=_nobody, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make one table of both lists: a denied client is an exception from those that may connect.

        A listener that overrides other keys of this section, which `replace` does, shares the table that is there.
        """
        sources = (*self.allow, *(replace(source, negated=True) for source in self.deny))
        if not self.clients.made_of(sources):
            object.__setattr__(self, "clients", ClientTable(sources, exception_refuses=True))

    @property
    def may_open(self) -> bool:
        """True when a client whose name is not known may connect."""
        if self.on_error is OnNameError.AUTO:
            return self.default is Default.ALLOW
        return self.on_error is OnNameError.CONTINUE
