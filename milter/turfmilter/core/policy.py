"""The Policy: which rules apply, in their order, and what each one's findings lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property

from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.finding import CONTINUE, Action, Finding, Verdict
from turfmilter.core.ports import Quarantine
from turfmilter.core.reply import Reply
from turfmilter.core.rule import Fact, Rule, Stage
from turfmilter.core.session import Connection, Recipient, Session


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
        if finding.spared:
            return Verdict(Action.ACCEPT, finding)
        if self.action is Action.REJECT and self.reply:
            return _refusal(finding, self.reply)
        return Verdict(self.action, finding, self.reply)


def _refusal(finding: Finding, reply: Reply) -> Verdict:
    return Verdict(Action.REJECT if reply.permanent else Action.TEMPFAIL, finding, reply)


@dataclass(frozen=True)
class Policy:
    """The clauses in the order in which they decide, without those that are off.

    There is a list for each stage, with the clauses whose rules look at it: the Judge goes through one of them at each
    event, and negotiation follows from which of them are empty.
    `listener` names the section of the configuration that it comes from, "" for the general one.
    """

    clauses: tuple[Clause, ...]
    listener: str = ""
    quarantine: Quarantine | None = None

    @cached_property
    def at_connect(self) -> tuple[Clause, ...]:
        """The clauses whose rules have an `at_connect`."""
        return self._looking_at(Stage.CONNECT)

    @cached_property
    def at_mail(self) -> tuple[Clause, ...]:
        """The clauses whose rules have an `at_mail`."""
        return self._looking_at(Stage.MAIL)

    @cached_property
    def at_rcpt(self) -> tuple[Clause, ...]:
        """The clauses whose rules have an `at_rcpt`."""
        return self._looking_at(Stage.RCPT)

    @cached_property
    def at_headers(self) -> tuple[Clause, ...]:
        """The clauses whose rules have an `at_headers`."""
        return self._looking_at(Stage.HEADERS)

    @cached_property
    def at_end(self) -> tuple[Clause, ...]:
        """The clauses whose rules have an `at_end`."""
        return self._looking_at(Stage.END)

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

    def _looking_at(self, stage: Stage) -> tuple[Clause, ...]:
        return tuple(clause for clause in self.clauses if stage in clause.rule.stages)


@dataclass(frozen=True, slots=True)
class Listener:
    """One of the MTA's SMTP services; an empty condition is none."""

    ports: frozenset[int] = frozenset()
    addresses: frozenset[IPAddress] = frozenset()
    daemons: frozenset[str] = frozenset()

    def takes(self, connection: Connection) -> bool:
        """True when `connection` came in through this listener."""
        return (
            not (self.ports and connection.port not in self.ports)
            and not (self.addresses and connection.local_address not in self.addresses)
            and not (self.daemons and connection.daemon not in self.daemons)
        )

    @property
    def conditions(self) -> int:
        """How many conditions it has: of two that take a connection, the one with more wins."""
        return sum(map(bool, (self.ports, self.addresses, self.daemons)))


@dataclass(frozen=True, eq=False)
class Generation:
    """What a connection is judged by, from its beginning to its end; equal only to itself."""

    default: Policy
    listeners: tuple[tuple[Listener, Policy], ...] = ()
    number: int = 1

    def policy(self, connection: Connection) -> Policy:
        """The policy of the listener that `connection` came in through, else the general one."""
        if not self.listeners:
            return self.default
        taking = [pair for pair in self.listeners if pair[0].takes(connection)]
        return max(taking, key=lambda pair: pair[0].conditions)[1] if taking else self.default

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """All of them: the MTA negotiates before it says which listener it is."""
        return (self.default, *(policy for _, policy in self.listeners))

    def asks(self, stage: Stage) -> bool:
        """True when a rule of any listener looks at `stage`."""
        return any(stage in clause.rule.stages for policy in self.policies for clause in policy.clauses)

    @cached_property
    def measures(self) -> bool:
        """True when a rule of any listener needs the size of the message."""
        return any(clause.rule.measures for policy in self.policies for clause in policy.clauses)

    @cached_property
    def needs_names(self) -> bool:
        """True when a client's name can change a result at any listener."""
        return any(policy.needs_names for policy in self.policies)

    @cached_property
    def facts(self) -> frozenset[Fact]:
        """Those that can change a result: the others are not asked for."""
        listeners = [listener for listener, _ in self.listeners]
        wanted = {
            Fact.PORT: any(listener.ports for listener in listeners),
            Fact.LOCAL_ADDRESS: any(listener.addresses for listener in listeners),
        }
        rules = (clause.rule.facts for policy in self.policies for clause in policy.clauses)
        return frozenset(fact for fact, needed in wanted.items() if needed).union(*rules)

    def does(self, *actions: Action) -> bool:
        """True when a finding of any rule can lead to one of `actions`; in trial it leads to none."""
        return not self._actions.isdisjoint(actions)

    @cached_property
    def _actions(self) -> frozenset[Action]:
        clauses = (clause for policy in self.policies for clause in policy.clauses)
        return frozenset(clause.action for clause in clauses if clause.mode is Mode.ENFORCE)
