"""The composition root: the only place that knows every concrete class."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

from turfmilter.config.choices import Answer, Default, LogFormat, LogTo, Origin
from turfmilter.config.schema import Config
from turfmilter.core.accounts import Accounts
from turfmilter.core.finding import Action
from turfmilter.core.policy import Clause, Mode, Policy
from turfmilter.core.ports import Clock
from turfmilter.core.reply import REPLIES
from turfmilter.core.rule import Rule
from turfmilter.mta.callbacks import Service
from turfmilter.mta.remarks import Remarks
from turfmilter.mta.sessions import Sessions
from turfmilter.rules.relay import Relay
from turfmilter.rules.turf import Exempt, TurfAuthor, TurfSender, UnreadableAuthor
from turfmilter.stores.maildir import Maildir
from turfmilter.telemetry.line import JSON, TEXT
from turfmilter.telemetry.sink import Stream, Syslog
from turfmilter.telemetry.writer import LogWriter

_DISK_THREADS = 32  # messages written to disk at the same time


class SystemClock:
    """The computer's clock."""

    def today(self) -> date:
        """The day, UTC."""
        return self.now().date()

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)


def build_policy(config: Config, generation: int = 1) -> Policy:
    """The rules of `config` in the order in which they decide; those that are off are left out."""
    clock = SystemClock()
    clauses = [_relay(config, clock), *_turf(config, clock)]
    return Policy(tuple(clause for clause in clauses if clause.mode is not Mode.OFF), generation)


def build_quarantine(config: Config) -> Maildir | None:
    """The quarantine, when a message can be held."""
    return None if config.turf.directory is None else Maildir(config.turf.directory)


def build_log(config: Config) -> LogWriter:
    """The log; its thread is started by whoever uses it."""
    sink = Stream(sys.stderr) if config.log.to is LogTo.STDERR else Syslog()
    return LogWriter(sink, JSON if config.log.format is LogFormat.JSON else TEXT)


def build_service(config: Config, log: LogWriter) -> Service:
    """What the connections of one process share."""
    policy = build_policy(config)
    return Service(
        policy=lambda: policy,
        quarantine=build_quarantine(config),
        log=log,
        clock=SystemClock(),
        executor=ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="quarantine"),
        sessions=Sessions(),
        remarks=Remarks(log),
    )


def _relay(config: Config, clock: Clock) -> Clause:
    relay = config.relay
    rule = Relay(
        domains=config.domains,
        always=relay.always,
        routing=relay.routing,
        deny=relay.deny,
        allow=relay.allow,
        interfaces=relay.interfaces,
        accounts=_accounts(relay.authenticated),
        accounts_need_tls=relay.authenticated_needs_tls,
        default_allows=relay.default is Default.ALLOW,
        clock=clock,
    )
    mode = _lower(config.mode, relay.mode)
    return Clause(rule, Action.REJECT, relay.reply, mode, on_error=REPLIES["relay-unavailable"])


def _turf(config: Config, clock: Clock) -> list[Clause]:
    turf = config.turf
    rules: dict[Origin, Rule] = {
        Origin.SENDER: TurfSender(turf.tables, turf.spare_authenticated, clock),
        Origin.AUTHOR: TurfAuthor(turf.tables, turf.spare_authenticated, clock),
    }
    if not turf.tables:
        return []
    modes: list[tuple[Rule, Mode]] = [(rules[origin], turf.mode) for origin in Origin if origin in turf.match]
    if Origin.AUTHOR in turf.match:
        modes.append((UnreadableAuthor(turf.spare_authenticated), _lower(turf.mode, turf.unreadable_author)))
    action = Action.DISCARD if turf.discard else Action.HOLD
    reply = turf.reply if turf.answer is Answer.REJECT else None
    exempts = Exempt(turf.exempt, clock)
    return [Clause(rule, action, reply, _lower(config.mode, mode), exempts=exempts) for rule, mode in modes]


def _accounts(authenticated: bool | frozenset[str]) -> Accounts | None:
    if isinstance(authenticated, bool):
        return Accounts() if authenticated else None
    return Accounts(authenticated)


def _lower(*modes: Mode) -> Mode:
    """The most cautious one: off before trial before enforce."""
    return min(modes, key=list(Mode).index)
