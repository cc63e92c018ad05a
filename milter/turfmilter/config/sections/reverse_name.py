"""The section [reverse_name]."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from turfmilter.config.kinds.words import Choice, Flag, OnError, ReplyLine
from turfmilter.config.setting import setting
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply


class NameCheck(Enum):
    """What is done with the result of checking a client's name."""

    OFF = "off"
    STAMP = "stamp"
    REQUIRE = "require"
    MATCH_SENDER = "match-sender"


@dataclass(frozen=True, slots=True)
class ReverseNameConfig:
    """Whether the client's address has a name that resolves to it again.

    Authenticated clients and those in relay.allow are never refused.
    Most hosted domains fail match-sender: try it with mode = "trial" first, and check the log.
    """

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would do), or turn it off.", example="trial"
    )
    on_error: OnError = setting(
        Choice(OnError),
        "tempfail",
        "If DNS does not answer: tell the client to try again later, or accept its mail.",
        example="continue",
    )
    reply: Reply = setting(
        ReplyLine(),
        str(REPLIES["reverse_name"]),
        "The reply to the client if check is require or match-sender.",
        example="554 5.7.25 no reverse name",
    )
    check: NameCheck = setting(
        Choice(NameCheck),
        "off",
        "Stamp adds the result to the header (Authentication-Results: iprev) and refuses nothing. Require refuses"
        " clients without a confirmed name. Match-sender also refuses those whose name is not in the sender's domain,"
        " but accepts the empty sender, which has no domain.",
        example="stamp",
    )
    remove_forged: bool = setting(
        Flag(),
        False,
        "True: an Authentication-Results field that has our name, but came with the message, is removed."
        " Do not set it if another filter in front of this one adds such fields. A message with more than 200"
        " Authentication-Results fields is refused.",
        example=True,
    )
