"""The section [reverse_name]."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from turfmilter.config.kinds.words import Choice, Flag, OnError, ReplyLine
from turfmilter.config.setting import setting
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply


class NameCheck(Enum):
    """What is done about a client's name."""

    OFF = "off"
    STAMP = "stamp"
    REQUIRE = "require"
    MATCH_SENDER = "match-sender"


@dataclass(frozen=True, slots=True)
class ReverseNameConfig:
    """Whether the client's address has a name that leads back to it.

    Authenticated clients and those in relay.allow are never refused.
    Most hosted domains fail match-sender: try it with mode = "trial" first, and read the log.
    """

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would do), or turn it off.", example="trial"
    )
    on_error: OnError = setting(
        Choice(OnError),
        "tempfail",
        "When DNS does not answer: tell the client to come back, or let it pass.",
        example="continue",
    )
    reply: Reply = setting(
        ReplyLine(),
        str(REPLIES["reverse_name"]),
        "What the client hears when check is require or match-sender.",
        example="554 5.7.25 no reverse name",
    )
    check: NameCheck = setting(
        Choice(NameCheck),
        "off",
        "Stamp writes the result into the header (Authentication-Results: iprev) and refuses nothing. Require refuses"
        " clients without a confirmed name. Match-sender also refuses those whose name lies outside the sender's"
        " domain; the empty sender has none.",
        example="stamp",
    )
    remove_forged: bool = setting(
        Flag(),
        False,
        "True: an Authentication-Results field that bears our name, but came with the message, is removed."
        " Not when another filter before this one writes such fields. A message with more than 200 fields of that name"
        " is refused.",
        example=True,
    )
