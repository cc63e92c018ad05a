"""The section [turf]."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from turfmilter.config.kinds.tables import Clients, Senders
from turfmilter.config.kinds.words import AbsolutePath, Choice, Each, Flag, ReplyLine
from turfmilter.config.setting import setting
from turfmilter.core.clients import ClientTable
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.table.senders import SenderTable


class Origin(Enum):
    """Which addresses are compared with the tables: sender (MAIL FROM), author (From:) or originator.

    The originators are those in Sender: and Resent-From: (RFC 5322 §3.6.2, §3.6.6).
    """

    SENDER = "sender"
    AUTHOR = "author"
    ORIGINATOR = "originator"


class Answer(Enum):
    """What the client that sends a turf message receives."""

    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class TurfConfig:
    """Whose mail is held in a quarantine directory, for you to review."""

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would hold), or turn it off.", example="trial"
    )
    reply: Reply = setting(
        ReplyLine(), str(REPLIES["turf"]), 'The reply to the client if answer is "reject".', example="554 5.7.1 refused"
    )
    tables: SenderTable = setting(
        Senders(),
        [],
        "Senders and authors whose mail is held.",
        example=["@spam.example", "!friend@spam.example", "file:turf.table"],
        sample=[],
    )
    match: tuple[Origin, ...] = setting(
        Each(Choice(Origin)),
        ["sender", "author"],
        "What is compared with the tables: the sender of the envelope (MAIL FROM), the authors (From:), the originators"
        " (Sender: and Resent-From:). If any of them is listed, the message is held.",
        example=["sender", "author", "originator"],
    )
    directory: Path | None = setting(
        AbsolutePath("/var/lib/turfmilter/quarantine"),
        "",
        "The Maildir in which messages are held. It must exist and belong to the filter's user.",
        example="/var/lib/turfmilter/quarantine",
        sample="/var/lib/turfmilter/quarantine",
    )
    discard: bool = setting(
        Flag(), False, "True: messages are discarded, not held. Requires that no directory is set.", example=True
    )
    answer: Answer = setting(
        Choice(Answer),
        "accept",
        "The answer to the client: that the message is accepted, or the reply above. The message is held either way.",
        example="reject",
    )
    may_shrink: bool = setting(
        Flag(),
        False,
        "False: a reload or a start at which any table has lost more than half of its entries, and more than 20, is"
        " refused, because that is usually a mistake. True: tables may shrink. Only in [turf] itself; `turfctl reload"
        " --may-shrink` allows it once.",
        example=True,
    )
    exempt: SenderTable = setting(
        Senders(),
        ["postmaster@", "abuse@"],
        "Recipients from whom no mail is withheld. The other recipients of the same message do not receive it,"
        " and the client is told that it was accepted.",
        example=["postmaster@", "abuse@", "security@example.org"],
    )
    spare_authenticated: bool = setting(
        Flag(), True, "True: mail from authenticated clients is never held.", example=False
    )
    spare_clients: ClientTable = setting(
        Clients(refused=False, vast="hardly any mail from a listed sender would be held"),
        [],
        "Clients whose mail is never held, such as printers that send from a listed domain. A name matches only if DNS"
        " confirms it in both directions. Local submissions have no client: see spare_local.",
        example=["192.168.1.0/24", "!192.168.1.66", "scanner.example.org"],
    )
    spare_local: bool = setting(
        Flag(),
        False,
        "True: mail that programs on this host submit without SMTP (cron, sendmail) is never held. Sendmail's own"
        " programs use SMTP: for them, list 127.0.0.1 and ::1 in spare_clients.",
        example=True,
    )
    unreadable_author: Mode = setting(
        Choice(Mode),
        "trial",
        "What is done with a message whose From: is not plainly a list of addresses: some programs may show"
        " an author that was not compared.",
        example="enforce",
    )
