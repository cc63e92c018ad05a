"""The section [limits], and the sections [[cap]]."""

from __future__ import annotations

from dataclasses import dataclass, replace

from turfmilter.config.kinds.numbers import Count, Size
from turfmilter.config.kinds.tables import Hosts, Senders
from turfmilter.config.kinds.words import AccountNames, Choice, FreeText, Several
from turfmilter.config.setting import optional, setting
from turfmilter.core.policy import Mode
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.senders import SenderTable
from turfmilter.rules.limits import Limits


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """How much one client may send.

    Only what this filter accepts is counted. There is no key for the replies: their codes tell the client what to do:
    to send the message again to the other recipients (452 4.5.3), to continue in a new connection (421 4.7.0), or to
    give up (5xx). Limits over time, such as recipients in an hour, are left to the MTA.
    """

    mode: Mode = setting(
        Choice(Mode),
        "enforce",
        "Enforce the limits, try them (log what they would refuse), or turn them off.",
        example="trial",
    )
    recipients_per_message: int = setting(
        Count(),
        100,
        "This number of recipients receive the message; the client sends it again to the others."
        " RFC 5321 §4.5.3.1.8 requires at least 100."
        " Postfix counts each refusal as an error and disconnects at smtpd_hard_error_limit (20): raise that as well.",
        example=500,
    )
    recipients_per_bounce: int = setting(
        Count(), 0, "The same for the empty sender: a bounce has one recipient. The others are rejected.", example=1
    )
    message_size: int = setting(
        Size(), 0, "The largest message, by its declared size (SIZE=) and by the bytes received.", example="10 MiB"
    )
    session_size: int = setting(
        Size(),
        0,
        "The total size of the messages of one connection. A message that would exceed it must be sent in a new"
        " connection. Requires message_size, and must not be less.",
        example="50 MiB",
    )
    messages_per_session: int = setting(
        Count(),
        0,
        "The number of messages of one connection. Further messages must be sent in a new connection.",
        example=20,
    )

    @property
    def numbers(self) -> Limits:
        """The limits, as the rules read them."""
        return Limits(
            recipients_per_message=self.recipients_per_message,
            recipients_per_bounce=self.recipients_per_bounce,
            message_size=self.message_size,
            session_size=self.session_size,
            messages_per_session=self.messages_per_session,
        )


@dataclass(frozen=True, slots=True)
class CapConfig:
    """Other limits for some messages. The first cap whose conditions are all met applies.

    It overrides the limits of the listener, which override the general ones. Limits that it does not set are not
    changed.
    """

    authenticated: bool | frozenset[str] | None = optional(
        AccountNames(), "For all authenticated clients, or for these accounts.", example=["newsletter"]
    )
    client: HostTable | None = optional(
        Hosts("addresses, networks and ranges", exception_wins=True, addresses_only=True),
        "For these clients.",
        example=["192.168.1.0/24"],
    )
    sender: SenderTable | None = optional(
        Senders(), "For these senders (MAIL FROM).", example=["@lists.example.org", "<>"]
    )
    listener: tuple[str, ...] | None = optional(
        Several(FreeText("the name of a listener")), "For these listeners.", example="submission"
    )
    recipients_per_message: int | None = optional(Count(), "As in [limits].", example=5000)
    recipients_per_bounce: int | None = optional(Count(), "As in [limits].", example=1)
    message_size: int | None = optional(Size(), "As in [limits].", example="100 MiB")
    session_size: int | None = optional(Size(), "As in [limits].", example="500 MiB")
    messages_per_session: int | None = optional(Count(), "As in [limits].", example=200)

    def over(self, limits: LimitsConfig) -> LimitsConfig:
        """Return `limits` with those that this cap sets replaced."""
        return replace(
            limits,
            recipients_per_message=_either(self.recipients_per_message, limits.recipients_per_message),
            recipients_per_bounce=_either(self.recipients_per_bounce, limits.recipients_per_bounce),
            message_size=_either(self.message_size, limits.message_size),
            session_size=_either(self.session_size, limits.session_size),
            messages_per_session=_either(self.messages_per_session, limits.messages_per_session),
        )


def _either(own: int | None, other: int) -> int:
    return other if own is None else own
