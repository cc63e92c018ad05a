"""What this configuration needs of the MTA: events, answers and actions, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import milter

from turfmilter.core.finding import Action
from turfmilter.core.policy import Mode, Policy
from turfmilter.core.rule import Stage

_NO_CONTENT = milter.P_NOHDRS | milter.P_NOEOH | milter.P_NOBODY
_NO_ANSWER = milter.P_NR_CONN | milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_HDR


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed for one connection; `protocol` and `actions` are libmilter's bits."""

    protocol: int = 0
    actions: int = 0

    def no_reply(self, bit: int) -> bool:
        """True when the MTA waits for no answer at the stage of this P_NR_* bit."""
        return bool(self.protocol & bit)

    @property
    def can_skip(self) -> bool:
        """True when SKIP ends the body early."""
        return bool(self.protocol & milter.P_SKIP)

    @property
    def leading_space(self) -> bool:
        """True when header values come with the blanks behind the colon."""
        return bool(self.protocol & milter.P_HDR_LEADSPC)

    @property
    def can_delete_recipients(self) -> bool:
        """True when delrcpt works."""
        return bool(self.actions & milter.DELRCPT)

    @property
    def can_ask_for_macros(self) -> bool:
        """True when the MTA takes our list of macros."""
        return bool(self.actions & milter.SETSYMLIST)


def negotiate(policy: Policy, actions: int, protocol: int) -> Terms:
    """The terms out of the `actions` and `protocol` bits that the MTA offers."""
    wanted_actions = milter.SETSYMLIST
    if _may_take(policy):
        wanted_actions |= milter.DELRCPT
    wanted = milter.P_NOUNKNOWN | milter.P_SKIP
    if policy.clauses:
        # Refusals are answered at RCPT; without any rule, connect must be able to ACCEPT.
        wanted |= _NO_ANSWER
    if policy.may_hold:
        wanted |= milter.P_HDR_LEADSPC
    elif policy.asked(Stage.HEADERS) or policy.asked(Stage.END):
        wanted |= milter.P_NOBODY
    else:
        wanted |= _NO_CONTENT
    return Terms(protocol & wanted, actions & wanted_actions)


def lacking(policy: Policy, terms: Terms) -> Iterator[str]:
    """What `policy` needs of an MTA and this one does not offer, each with what follows from it."""
    if policy.clauses and not terms.can_ask_for_macros:
        yield (
            "the MTA takes no list of macros (SMFIF_SETSYMLIST): client names, listeners and accounts"
            " are known only as far as its own configuration sends them"
        )
    if _may_take(policy) and not terms.can_delete_recipients:
        yield (
            "the MTA lets nobody take off recipients (SMFIF_DELRCPT): turf mail that is for exempt recipients"
            " and others is answered 451"
        )
    if policy.may_hold and not terms.leading_space:
        yield (
            "the MTA does not show the blanks behind the colon of a header (SMFIP_HDR_LEADSPC): held messages have one"
            " there, which can break their DKIM signatures"
        )


def _may_take(policy: Policy) -> bool:
    """True when a message may have to be kept from some of its recipients."""
    return any(c.action in (Action.HOLD, Action.DISCARD) and c.mode is Mode.ENFORCE for c in policy.clauses)
