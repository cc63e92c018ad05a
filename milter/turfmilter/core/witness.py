"""Records what each rule looks at and what it finds, while the Judge decides as without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from turfmilter.core.finding import Finding
from turfmilter.core.policy import Clause, Generation, Policy
from turfmilter.core.rule import Fact, Looked, Rule, Stage
from turfmilter.core.session import Recipient, Session


class Asked(NamedTuple):
    """One call of a rule: at which stage, about which recipient, what it looked at, and what it found.

    `clause` tells what follows from the finding.  `session` is what was known.
    """

    stage: Stage
    clause: Clause
    recipient: Recipient | None
    looked: tuple[Looked, ...]
    finding: Finding | None
    session: Session


def watched(generation: Generation, seen: list[Asked]) -> Generation:
    """Return a generation that decides the same, and appends each call of a rule to `seen`.

    For one session at a time.
    """
    listeners = tuple((listener, _watched(policy, seen)) for listener, policy in generation.listeners)
    return replace(generation, default=_watched(generation.default, seen), listeners=listeners)


def _watched(policy: Policy, seen: list[Asked]) -> Policy:
    return replace(policy, clauses=tuple(replace(one, rule=_Watched(one, seen)) for one in policy.clauses))


class _Watched(Rule):
    def __init__(self, clause: Clause, seen: list[Asked]) -> None:
        rule = clause.rule
        self.name, self.wants, self.measures = rule.name, rule.wants, rule.measures  # type: ignore[misc]
        self.stages = rule.stages
        self._clause = clause
        self._rule = rule
        self._seen = seen

    @property
    def facts(self) -> frozenset[Fact]:
        return self._rule.facts

    @property
    def needs_names(self) -> bool:
        return self._rule.needs_names

    def asks_names(self, session: Session) -> bool:
        return self._rule.asks_names(session)

    def looks_at(self, session: Session, recipient: Recipient | None) -> Iterator[Looked]:
        return self._rule.looks_at(session, recipient)

    def at_connect(self, session: Session) -> Finding | None:
        return self._saw(Stage.CONNECT, session, self._rule.at_connect(session))

    def at_mail(self, session: Session) -> Finding | None:
        return self._saw(Stage.MAIL, session, self._rule.at_mail(session))

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:
        return self._saw(Stage.RCPT, session, self._rule.at_rcpt(session, recipient), recipient)

    def at_headers(self, session: Session) -> Finding | None:
        return self._saw(Stage.HEADERS, session, self._rule.at_headers(session))

    def at_end(self, session: Session) -> Finding | None:
        return self._saw(Stage.END, session, self._rule.at_end(session))

    def _saw(
        self, stage: Stage, session: Session, finding: Finding | None, recipient: Recipient | None = None
    ) -> Finding | None:
        looked = tuple(self._rule.looks_at(session, recipient))
        self._seen.append(Asked(stage, self._clause, recipient, looked, finding, session))
        return finding
