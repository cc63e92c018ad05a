"""The Policy: which rules apply, in their order, and what each one's findings lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property

from turfmilter.core.finding import CONTINUE, Action, Finding, Verdict
from turfmilter.core.ports import Quarantine
from turfmilter.core.reply import Reply
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Recipient, Session


class Mode(Enum):
    """How far a rule goes: TRIAL evaluates and logs, and does nothing."""

    OFF = "off"
    TRIAL = "trial"
    ENFORCE = "enforce"


def _nobody(_recipient: Recipient, _today: date) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule and what its findings lead to.

    `action` is REJECT, CHANGE, HOLD or DISCARD.  `reply` is what the client hears; None leaves the MTA's own 250.
    `on_error` answers what the rule could not find out; None goes on without an answer.
    `exempts` says from which recipients nothing is held on a day.
    """

    rule: Rule
    action: Action
    reply: Reply | None = None
    mode: Mode = Mode.ENFORCE
    on_error: Reply | None = None
    exempts: Callable[[Recipient, date], bool] = _nobody

    def verdict(self, finding: Finding) -> Verdict:
        """What is done about `finding`; CONTINUE is nothing."""
        if finding.unavailable:
            return CONTINUE if self.on_error is None else _refusal(finding, self.on_error)
        if self.action is Action.REJECT and self.reply:
            return _refusal(finding, self.reply)
        return Verdict(self.action, finding, self.reply)


# The method of a rule that looks at a stage, and the clause that it belongs to.
Question = tuple[Callable[..., Finding | None], Clause]


def _refusal(finding: Finding, reply: Reply) -> Verdict:
    return Verdict(Action.REJECT if reply.permanent else Action.TEMPFAIL, finding, reply)


@dataclass(frozen=True)
class Policy:
    """The clauses in the order in which they decide, without those that are off.

    `listener` names the section of the configuration that it comes from, "" for the general one.
    """

    clauses: tuple[Clause, ...]
    listener: str = ""
    quarantine: Quarantine | None = None

    def asked(self, stage: Stage) -> tuple[Clause, ...]:
        """The clauses whose rules look at `stage`; negotiation follows from this."""
        return self._asked[stage]

    def questions(self, stage: Stage) -> tuple[Question, ...]:
        """What is asked at `stage`, in this order."""
        return self._questions[stage]

    @cached_property
    def wants(self) -> frozenset[str]:
        """The header fields that a rule reads, in lower case."""
        return frozenset().union(*(clause.rule.wants for clause in self.clauses))

    @cached_property
    def needs_names(self) -> bool:
        """True when the name of some client can change a result."""
        return any(clause.rule.needs_names for clause in self.clauses)

    def asks_names(self, session: Session) -> bool:
        """True when the name of this very client can change a result."""
        return self.needs_names and any(c.rule.needs_names and c.rule.asks_names(session) for c in self.clauses)

    @cached_property
    def may_hold(self) -> bool:
        """True when a message may have to be kept byte for byte."""
        return any(c.action is Action.HOLD and c.mode is Mode.ENFORCE for c in self.clauses)

    @cached_property
    def _asked(self) -> dict[Stage, tuple[Clause, ...]]:
        return {stage: tuple(c for c in self.clauses if c.rule.looks_at(stage)) for stage in Stage}

    @cached_property
    def _questions(self) -> dict[Stage, tuple[Question, ...]]:
        return {stage: tuple((getattr(c.rule, stage), c) for c in asked) for stage, asked in self._asked.items()}
