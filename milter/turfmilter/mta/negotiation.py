"""What this configuration needs of the MTA: events, answers and actions, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import milter

from turfmilter.core.finding import Action
from turfmilter.core.generation import Generation
from turfmilter.core.rule import Stage

_NO_CONTENT = milter.P_NOHDRS | milter.P_NOEOH | milter.P_NOBODY


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
    def can_change_header(self) -> bool:
        """True when header fields can be added and removed."""
        return bool(self.actions & milter.ADDHDRS and self.actions & milter.CHGHDRS)

    @property
    def can_ask_for_macros(self) -> bool:
        """True when the MTA takes our list of macros."""
        return bool(self.actions & milter.SETSYMLIST)


def negotiate(generation: Generation, actions: int, protocol: int) -> Terms:
    """The terms out of the `actions` and `protocol` bits that the MTA offers."""
    wanted = milter.P_NOUNKNOWN | milter.P_SKIP | _unneeded_content(generation)
    # Refusals are answered at RCPT, but for rules that refuse at once; without any rule, connect must ACCEPT.
    wanted |= milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_HDR
    if all(policy.clauses for policy in generation.policies) and not generation.asks(Stage.CONNECT):
        wanted |= milter.P_NR_CONN
    return Terms(protocol & wanted, actions & _wanted_actions(generation))


def _wanted_actions(generation: Generation) -> int:
    wanted = int(milter.SETSYMLIST)
    if generation.does(Action.HOLD, Action.DISCARD):
        wanted |= milter.DELRCPT
    if generation.does(Action.CHANGE):
        wanted |= milter.ADDHDRS | milter.CHGHDRS
    return wanted


def _unneeded_content(generation: Generation) -> int:
    """The bits for what need not be shown of the message itself."""
    if any(policy.may_hold for policy in generation.policies):
        return int(milter.P_HDR_LEADSPC)
    if generation.measures:
        return 0
    return int(milter.P_NOBODY if generation.asks(Stage.HEADERS) else _NO_CONTENT)
