"""Builds the Policy of one listener from the configuration; tells in which order the rules decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from turfmilter.config.kinds.words import Default, OnError
from turfmilter.config.schema import Config
from turfmilter.config.sections.connect import ReplyAt
from turfmilter.config.sections.reverse_name import NameCheck
from turfmilter.config.sections.turf import Answer, Origin
from turfmilter.core.clients import Domains
from turfmilter.core.finding import Action
from turfmilter.core.policy import Clause, Mode, Policy
from turfmilter.core.ports import Quarantine
from turfmilter.core.reply import REPLIES
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Accounts
from turfmilter.rules.connect import ConnectAtOnce, ConnectAtRcpt
from turfmilter.rules.limits import (
    Cap,
    LimitTable,
    MessageSize,
    MessagesPerSession,
    RecipientsPerBounce,
    RecipientsPerMessage,
    SessionSize,
)
from turfmilter.rules.listener import RequireAuth, RequireTls
from turfmilter.rules.recipient import UnrefusableRecipient
from turfmilter.rules.relay import Relay
from turfmilter.rules.reverse_name import RemoveForged, RequireName, StampName, TooManyResults
from turfmilter.rules.turf import Exempt, Spares, TurfAuthor, TurfOriginator, TurfSender, UnreadableAuthor

_LIMITS = (RecipientsPerMessage, RecipientsPerBounce, MessageSize, SessionSize, MessagesPerSession)


def build_policy(config: Config, listener: str = "", quarantine: Quarantine | None = None) -> Policy:
    """Return the rules of `config` in the order in which they decide, without those that are off or have no effect.

    `config` is the configuration with the sections of `listener` applied.  `quarantine` is where messages are held.
    """
    # The order matters: the first refusal is the answer.  Who the client is comes first, then what it must do, then
    # the recipient, then the amount.  The turf rules hold or discard, which takes effect only if no rule refuses;
    # changes of the header do not depend on the rest.
    clauses = [
        *_connect(config),
        *_require_name(config),
        *_require(config),
        _relay(config),
        *_limits(config, listener),
        *_turf(config),
        *_header(config),
    ]
    clauses.insert(0, _refusable(clauses))  # first, because another refusal of such a recipient would have no effect
    capped = (replace(clause, mode=_lower(config.mode, clause.mode)) for clause in clauses)
    return Policy(tuple(clause for clause in capped if clause.mode is not Mode.OFF), listener, quarantine)


def _connect(config: Config) -> Iterator[Clause]:
    connect, default_allows = config.connect, config.connect.default is Default.ALLOW
    if default_allows and not connect.clients:
        return
    rule: Rule = ConnectAtOnce(connect.clients, default_allows)
    if connect.reply_at is ReplyAt.RCPT:
        domains = Domains(config.domains)
        rule = ConnectAtRcpt(connect.clients, default_allows, domains, connect.spare_authenticated)
    on_error = None if connect.may_open else REPLIES["connect-unavailable"]
    yield Clause(rule, Action.REJECT, connect.reply, connect.mode, on_error)


def _require_name(config: Config) -> Iterator[Clause]:
    reverse = config.reverse_name
    if reverse.check in (NameCheck.REQUIRE, NameCheck.MATCH_SENDER):
        rule = RequireName(config.relay.allow, reverse.check is NameCheck.MATCH_SENDER)
        on_error = None if reverse.on_error is OnError.CONTINUE else REPLIES["reverse_name-unavailable"]
        yield Clause(rule, Action.REJECT, reverse.reply, reverse.mode, on_error)


def _require(config: Config) -> Iterator[Clause]:
    # TLS first: many clients offer no password without it, and "authentication required" would mislead their users.
    if config.here.require_tls:
        yield Clause(RequireTls(), Action.REJECT, REPLIES["require_tls"])
    if config.here.require_auth:
        yield Clause(RequireAuth(), Action.REJECT, REPLIES["require_auth"])


def _relay(config: Config) -> Clause:
    relay = config.relay
    rule = Relay(
        domains=Domains(config.domains),
        always=Domains(relay.always),
        routing=relay.routing,
        deny=relay.deny,
        allow=relay.allow,
        interfaces=relay.interfaces,
        accounts=_accounts(relay.authenticated),
        accounts_need_tls=relay.authenticated_needs_tls,
        default_allows=relay.default is Default.ALLOW,
    )
    return Clause(rule, Action.REJECT, relay.reply, relay.mode, REPLIES["relay-unavailable"])


def _limits(config: Config, listener: str) -> Iterator[Clause]:
    caps = (
        Cap(
            cap.over(config.limits).numbers,
            authenticated=None if cap.authenticated is None else _accounts(cap.authenticated),
            client=cap.client,
            sender=cap.sender,
            listener=None if cap.listener is None else frozenset(cap.listener),
        )
        for cap in config.cap
    )
    table = LimitTable(config.limits.numbers, tuple(caps), listener)
    for rule in _LIMITS:
        if table.any(rule.limit):
            yield Clause(rule(table), Action.REJECT, REPLIES[rule.name], config.limits.mode)


def _turf(config: Config) -> Iterator[Clause]:
    turf = config.turf
    spares = Spares(turf.spare_authenticated, turf.spare_local, turf.spare_clients)
    rules: dict[Origin, Rule] = {
        Origin.SENDER: TurfSender(turf.tables, spares),
        Origin.AUTHOR: TurfAuthor(turf.tables, spares),
        Origin.ORIGINATOR: TurfOriginator(turf.tables, spares),
    }
    if not turf.tables:
        return
    modes: list[tuple[Rule, Mode]] = [(rules[origin], turf.mode) for origin in Origin if origin in turf.match]
    if Origin.AUTHOR in turf.match:
        modes.append((UnreadableAuthor(spares), _lower(turf.mode, turf.unreadable_author)))
    action = Action.DISCARD if turf.discard else Action.HOLD
    reply = turf.reply if turf.answer is Answer.REJECT else None
    exempts = Exempt(turf.exempt)
    # A From: that was not read completely might contain a listed author, so the message stays with its sender (451).
    on_error = REPLIES["error"]
    yield from (Clause(rule, action, reply, mode, on_error, exempts) for rule, mode in modes)


def _header(config: Config) -> Iterator[Clause]:
    """Yield the clauses that add and remove header fields, and the one that refuses if there are too many to remove."""
    reverse = config.reverse_name
    if reverse.check is NameCheck.STAMP:
        yield Clause(StampName(config.authserv_id), Action.CHANGE, mode=reverse.mode)
    if reverse.remove_forged:
        yield Clause(TooManyResults(), Action.REJECT, REPLIES["remove_forged"], reverse.mode)
        yield Clause(RemoveForged(config.authserv_id), Action.CHANGE, mode=reverse.mode)


def _refusable(clauses: Iterable[Clause]) -> Clause:
    """Return the clause that makes the refusals of the others effective; its mode is the strictest of theirs."""
    modes = [clause.mode for clause in clauses if Stage.RCPT in clause.rule.stages]
    mode = max(modes, key=list(Mode).index, default=Mode.OFF)
    return Clause(UnrefusableRecipient(), Action.REJECT, REPLIES["recipient"], mode)


def _accounts(authenticated: bool | frozenset[str]) -> Accounts | None:
    if isinstance(authenticated, bool):
        return Accounts() if authenticated else None
    return Accounts(authenticated)


def _lower(*modes: Mode) -> Mode:
    """Return the mildest of the modes: off, else trial, else enforce."""
    return min(modes, key=list(Mode).index)
