"""The Policy: which rules apply, in which order, and what follows from their findings."""

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
    """Whether a rule takes effect: in TRIAL it is evaluated and logged, but does nothing."""

    OFF = "off"
    TRIAL = "trial"
    ENFORCE = "enforce"


def _no_recipient(_recipient: Recipient, _today: date) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule, and what follows from its findings.

    `action` is REJECT, CHANGE, HOLD or DISCARD.  `reply` is what the client receives; None leaves the MTA's own 250.
    `on_error` is the reply if the rule could not decide; with None, the next rule decides.
    `exempts` returns True for a recipient from whom nothing is withheld on the given day.
    """

    rule: Rule
    action: Action
    reply: Reply | None = None
    mode: Mode = Mode.ENFORCE
    on_error: Reply | None = None
    exempts: Callable[[Recipient, date], bool] = _no_recipient

    def verdict(self, finding: Finding) -> Verdict:
        """Return what is done about `finding`; CONTINUE if nothing."""
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

    There is a list for each stage, with the clauses whose rules are called at it: the Judge goes through one list at
    each event, and no event is requested from the MTA whose list is empty.
    `listener` is the name of the listener's section in the configuration, "" for the general policy.
    """

    clauses: tuple[Clause, ...]
    listener: str = ""
    quarantine: Quarantine | None = None

    @cached_property
    def at_connect(self) -> tuple[Clause, ...]:
        """The clauses whose rules are called at connect."""
        return self._looking_at(Stage.CONNECT)

    @cached_property
    def at_mail(self) -> tuple[Clause, ...]:
        """The clauses whose rules are called at MAIL."""
        return self._looking_at(Stage.MAIL)

    @cached_property
    def at_rcpt(self) -> tuple[Clause, ...]:
        """The clauses whose rules are called at RCPT."""
        return self._looking_at(Stage.RCPT)

    @cached_property
    def at_headers(self) -> tuple[Clause, ...]:
        """The clauses whose rules are called at the end of the header."""
        return self._looking_at(Stage.HEADERS)

    @cached_property
    def at_end(self) -> tuple[Clause, ...]:
        """The clauses whose rules are called at the end of the message."""
        return self._looking_at(Stage.END)

    @cached_property
    def wants(self) -> frozenset[str]:
        """The names of the header fields that any rule reads, in lower case."""
        return frozenset().union(*(clause.rule.wants for clause in self.clauses))

    @cached_property
    def needs_names(self) -> bool:
        """True if the name of any client can change a result."""
        return any(clause.rule.needs_names for clause in self.clauses)

    def asks_names(self, session: Session) -> bool:
        """Return True if the name of this client can change a result."""
        return self.needs_names and any(c.rule.needs_names and c.rule.asks_names(session) for c in self.clauses)

    def _looking_at(self, stage: Stage) -> tuple[Clause, ...]:
        return tuple(clause for clause in self.clauses if stage in clause.rule.stages)


@dataclass(frozen=True, slots=True)
class Listener:
    """The conditions by which connections of one of the MTA's SMTP services are recognised; an empty one is ignored."""

    ports: frozenset[int] = frozenset()
    addresses: frozenset[IPAddress] = frozenset()
    daemons: frozenset[str] = frozenset()

    def takes(self, connection: Connection) -> bool:
        """Return True if `connection` meets all conditions."""
        return (
            not (self.ports and connection.port not in self.ports)
            and not (self.addresses and connection.local_address not in self.addresses)
            and not (self.daemons and connection.daemon not in self.daemons)
        )

    @property
    def conditions(self) -> int:
        """The number of conditions: of two listeners that a connection matches, the one with more is used."""
        return sum(map(bool, (self.ports, self.addresses, self.daemons)))

    def ties(self, other: Listener) -> bool:
        """Return True if a connection can meet the conditions of both, and both have the same number of conditions."""
        pairs = ((self.ports, other.ports), (self.addresses, other.addresses), (self.daemons, other.daemons))
        meet = all(not mine or not theirs or mine & theirs for mine, theirs in pairs)
        return meet and self.conditions == other.conditions > 0


@dataclass(frozen=True, eq=False)
class Generation:
    """All policies that were loaded together.

    A connection keeps its generation until it ends, even if another one is loaded meanwhile.  Equal only to itself.
    """

    default: Policy
    listeners: tuple[tuple[Listener, Policy], ...] = ()
    number: int = 1

    def policy(self, connection: Connection) -> Policy:
        """Return the policy of the listener that `connection` matches, else the general policy."""
        if not self.listeners:
            return self.default
        taking = [pair for pair in self.listeners if pair[0].takes(connection)]
        return max(taking, key=lambda pair: pair[0].conditions)[1] if taking else self.default

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """All policies; negotiation needs them because the MTA negotiates before the listener is known."""
        return (self.default, *(policy for _, policy in self.listeners))

    def asks(self, stage: Stage) -> bool:
        """Return True if a rule of any listener is called at `stage`."""
        return any(stage in clause.rule.stages for policy in self.policies for clause in policy.clauses)

    @cached_property
    def measures(self) -> bool:
        """True if a rule of any listener reads the size of the message."""
        return any(clause.rule.measures for policy in self.policies for clause in policy.clauses)

    @cached_property
    def needs_names(self) -> bool:
        """True if the name of any client can change a result at any listener."""
        return any(policy.needs_names for policy in self.policies)

    @cached_property
    def needs_names_at_once(self) -> bool:
        """True if a client may be answered at connect, and its name can change that."""
        return self.needs_names and self.asks(Stage.CONNECT)

    @cached_property
    def facts(self) -> frozenset[Fact]:
        """The optional values that can change a result; the others are not requested from the MTA."""
        # The macro for `daemon` is always requested, because it names the listener in the log.
        listeners = [listener for listener, _ in self.listeners]
        wanted = {
            Fact.PORT: any(listener.ports for listener in listeners),
            Fact.LOCAL_ADDRESS: any(listener.addresses for listener in listeners),
        }
        rules = (clause.rule.facts for policy in self.policies for clause in policy.clauses)
        return frozenset(fact for fact, needed in wanted.items() if needed).union(*rules)

    def does(self, *actions: Action) -> bool:
        """Return True if a finding can lead to one of `actions`; rules in trial mode lead to none."""
        return not self._actions.isdisjoint(actions)

    @cached_property
    def _actions(self) -> frozenset[Action]:
        clauses = (clause for policy in self.policies for clause in policy.clauses)
        return frozenset(clause.action for clause in clauses if clause.mode is Mode.ENFORCE)
