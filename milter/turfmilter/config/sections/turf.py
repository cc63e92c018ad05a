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
    """Who a message is from: MAIL FROM is the sender, From: the author, Sender: and Resent-From: the originator."""

    SENDER = "sender"
    AUTHOR = "author"
    ORIGINATOR = "originator"


class Answer(Enum):
    """What the sender of a turf message hears."""

    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class TurfConfig:
    """Whose mail is put aside in a quarantine directory for you to review."""

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would hold), or turn it off.", example="trial"
    )
    reply: Reply = setting(
        ReplyLine(), str(REPLIES["turf"]), 'What the sender hears when answer is "reject".', example="554 5.7.1 refused"
    )
    tables: SenderTable = setting(
        Senders(),
        [],
        "Senders and authors whose mail is put aside.",
        example=["@spam.example", "!friend@spam.example", "file:turf.table"],
        sample=[],
    )
    match: tuple[Origin, ...] = setting(
        Each(Choice(Origin)),
        ["sender", "author"],
        "What is looked up in the tables: the sender of the envelope (MAIL FROM), the author (From:), the originator"
        " (Sender: and Resent-From:). Any match holds the message.",
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
        Flag(), False, "True: messages are lost instead of held. Only without a directory.", example=True
    )
    answer: Answer = setting(
        Choice(Answer),
        "accept",
        "What the sender hears: that the message was accepted, or the reply above. The message is held all the same.",
        example="reject",
    )
    exempt: SenderTable = setting(
        Senders(),
        ["postmaster@", "abuse@"],
        "Recipients who get their mail whoever sent it. The others of the same message do not,"
        " and its sender hears that it was accepted.",
        example=["postmaster@", "abuse@", "security@example.org"],
    )
    spare_authenticated: bool = setting(
        Flag(), True, "True: mail of authenticated clients is never put aside.", example=False
    )
    spare_clients: ClientTable = setting(
        Clients(refused=False, vast="hardly any mail from a listed sender would be put aside"),
        [],
        "Clients whose mail is never put aside, such as printers that send from a listed domain. A name needs DNS to"
        " confirm it in both directions. Local submissions have no client: see spare_local.",
        example=["192.168.1.0/24", "!192.168.1.66", "scanner.example.org"],
    )
    spare_local: bool = setting(
        Flag(),
        False,
        "True: mail that programs on this host submit without SMTP (cron, sendmail) is never put aside. Sendmail's own"
        " programs use SMTP: for them list 127.0.0.1 and ::1 in spare_clients.",
        example=True,
    )
    unreadable_author: Mode = setting(
        Choice(Mode),
        "trial",
        "What happens to a message whose From: is not plainly a list of addresses: some programs may show"
        " another author than those that were compared.",
        example="enforce",
    )
