"""One generation of the configuration: the policy of every listener."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from turfmilter.core.finding import Action
from turfmilter.core.mailbox import IPAddress
from turfmilter.core.policy import Mode, Policy
from turfmilter.core.rule import Stage
from turfmilter.core.session import Connection


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
        return stage in self._stages

    @cached_property
    def measures(self) -> bool:
        """True when a rule of any listener needs the size of the message."""
        return any(clause.rule.measures for policy in self.policies for clause in policy.clauses)

    @cached_property
    def needs_names(self) -> bool:
        """True when a client's name can change a result at any listener."""
        return any(policy.needs_names for policy in self.policies)

    @cached_property
    def facts(self) -> frozenset[str]:
        """Which of "host", "local_address", "port" and "tls" can change a result: the others are not asked for."""
        conditions = [listener for listener, _ in self.listeners]
        wanted = {"port": any(c.ports for c in conditions), "local_address": any(c.addresses for c in conditions)}
        rules = (clause.rule.facts for policy in self.policies for clause in policy.clauses)
        return frozenset(fact for fact, needed in wanted.items() if needed).union(*rules)

    def does(self, *actions: Action) -> bool:
        """True when a finding of any rule can lead to one of `actions`; in trial it leads to none."""
        return not self._actions.isdisjoint(actions)

    @cached_property
    def _stages(self) -> frozenset[Stage]:
        return frozenset(stage for stage in Stage for policy in self.policies if policy.asked(stage))

    @cached_property
    def _actions(self) -> frozenset[Action]:
        clauses = (clause for policy in self.policies for clause in policy.clauses)
        return frozenset(clause.action for clause in clauses if clause.mode is Mode.ENFORCE)
