"""The composition root of the daemon: with desk.py, the only module that knows every concrete class."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from turfmilter.config.changes import losses, sizes
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config, LogFormat, LogTo
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import NewerFormat, Unopenable
from turfmilter.core.held.room import UnusableQuarantine
from turfmilter.core.journal.line import Unreadable, decode
from turfmilter.core.journal.transaction import NotLookedUp, Transaction
from turfmilter.core.policy import Generation, Policy
from turfmilter.core.ports import Clock, Log, QuarantineError
from turfmilter.core.session import Connection, Known, Lookup
from turfmilter.core.table.entry import listed
from turfmilter.daemon import mtas
from turfmilter.daemon.reload import Loaded, Program, Report
from turfmilter.desk import SystemClock, build_observation, open_quarantines
from turfmilter.mta.nat import NatAlarm
from turfmilter.mta.peer import Later
from turfmilter.mta.postconf import Postconf
from turfmilter.mta.service import NoJournal, Remarks, Service, Sessions
from turfmilter.policies import build_policy
from turfmilter.review.administrator import Administrator
from turfmilter.review.expiry import Expiry
from turfmilter.review.explanation import explain, told
from turfmilter.review.recorder import Recorders
from turfmilter.review.stocktaking import Stocktaking
from turfmilter.stores.dns import DnsNames, exchangers
from turfmilter.stores.journal import maintain
from turfmilter.stores.journalfile import JournalFile
from turfmilter.stores.lastgood import Copy, LastGood
from turfmilter.stores.maildir import Maildir
from turfmilter.telemetry.journal import JournalWriter
from turfmilter.telemetry.line import JSON, TEXT
from turfmilter.telemetry.metrics import JOURNAL_BYTES
from turfmilter.telemetry.sink import GivingUp, Sink, Stream, Syslog
from turfmilter.telemetry.tally import Tally
from turfmilter.telemetry.writer import LogWriter

_DISK_THREADS = 32  # messages that are written to disk at the same time, per worker


def build_generation(config: Config, number: int = 1) -> Generation:
    """The generation `number` of `config`: the default policy, and the policy of each listener."""
    quarantines = build_quarantines(config)

    def policy(view: Config, name: str) -> Policy:
        directory = view.turf.directory
        return build_policy(view, name, quarantines[directory] if directory else None)

    listeners = ((listener.conditions, policy(config.at(name), name)) for name, listener in config.listener.items())
    return Generation(policy(config, ""), tuple(listeners), number)


def build_quarantines(config: Config) -> dict[Path, Maildir]:
    """Every quarantine in which a message can be held, by its directory."""
    return {directory: Maildir(directory, floor=config.quarantine.floor) for directory in config.directories}


def look_up(config: Config, client: IPAddress) -> Lookup:
    """Return a lookup of the names of `client` in DNS, as a session begins it."""
    return Later(DnsNames(config.dns.nameservers, timeout=config.dns.timeout), client)


def explain_now(loaded: Loaded, request: Mapping[str, Any]) -> dict[str, Any]:
    """Explain the transaction in `request`, a line of a journal, by the rules of `loaded`; "look_up" asks DNS first."""
    try:
        transaction = decode(str(request["transaction"]).encode())
    except (KeyError, Unreadable):
        return {"error": "the request has no transaction of this version"}
    if request.get("look_up") is True:
        transaction = with_names(loaded.config, transaction)
    return told(explain(loaded.generation, transaction))


def with_names(config: Config, transaction: Transaction) -> Transaction:
    """The same with a lookup of the client's names in DNS, unless they are known."""
    connection = transaction.connection
    if connection.client is None or not isinstance(connection.names, NotLookedUp):
        return transaction
    return transaction._replace(connection=connection._replace(names=look_up(config, connection.client)))


def mail_exchangers(config: Config, domains: Sequence[str]) -> list[tuple[str, str, IPAddress]]:
    """Each mail exchanger of `domains` with an address, as far as DNS answers in time."""
    return exchangers(config.dns.nameservers, domains, config.dns.timeout)


def build_log(config: Config) -> LogWriter:
    """The log as configured; the caller starts its thread."""
    return LogWriter(_sink(config), JSON if config.log.format is LogFormat.JSON else TEXT)


def _sink(config: Config) -> Sink:
    # A separate stream: another thread may hold the lock of sys.stderr while this process is forked.
    stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - open as long as the process is
    return Stream(stderr) if config.log.to is LogTo.STDERR else Syslog()


def build_program(path: Path, socket: SocketSpec | None) -> Program:
    """The functions from which the daemon's processes are built; `path` is the file of the configuration.

    `socket`, if given, replaces the configured one.
    """

    def load_generation(number: int) -> Loaded:
        try:
            config = load_config(path, socket)
        except ConfigError as error:
            raise ConfigError(every_problem(error), error.files) from None
        warnings = (*config.warnings, *check_quarantines(config), *check_journal(config), *check_mtas(config))
        return Loaded(config, build_generation(config, number), warnings)

    return Program(load_generation, build_service, build_log, look_after, keep_copy, SystemClock(), explain_now)


def keep_copy(config: Config) -> list[str]:
    """Save the texts that `config` was loaded from, for a start with broken files; return warnings if that fails."""
    assert config.state
    try:
        now = SystemClock().now()
        LastGood(config.state).keep(config.files[0], Copy(now, config.texts, sizes(config, now.date())))
    except OSError as error:
        return [f"state: {config.state}: cannot save a copy, so a start with broken files would fail: {error.strerror}"]
    return []


def lost_since(path: Path, config: Config) -> tuple[str, ...]:
    """Return messages about tables that lost most of their entries since the last good generation, unless they may.

    Root must not call this: the sizes are read from a file of the filter's user.
    """
    if config.state is None or config.turf.may_shrink:
        return ()
    return losses(LastGood(config.state).sizes(path.absolute()), config)


def load_config(path: Path, socket: SocketSpec | None) -> Config:
    """Load the configuration; `socket`, if given, replaces the configured one.  Raises ConfigError."""
    return load(path, postfix=Postconf(), socket=socket, today=SystemClock().today())


def check_mtas(config: Config) -> list[str]:
    """Warnings about inconsistencies with the MTA's configuration; takes 5 seconds at most."""
    return mtas.warnings(config, SystemClock().today())


def every_problem(error: ConfigError) -> tuple[str, ...]:
    """The problems of a configuration, and those of the quarantines named in the part that could be read."""
    try:
        if error.rest:
            check_quarantines(error.rest)
    except UnusableQuarantine as unusable:
        return (*error.problems, *str(unusable).splitlines())
    return error.problems


def check_journal(config: Config) -> list[str]:
    """Warnings if nothing can be written to the journal; which does not affect mail."""
    directory = config.journal.directory
    if directory is None or os.access(directory, os.W_OK | os.X_OK):
        return []
    why = "cannot be written to by the filter" if directory.is_dir() else "does not exist, or is not a directory"
    owner = f"-o {config.user} " if config.user else ""
    fix = f"create it with: install -d {owner}-m 0750 {directory}"
    return [f"journal.directory: {directory} {why}, so no transaction is kept; {fix}"]


def check_quarantines(config: Config) -> list[str]:
    """Check and clean up the quarantines; return warnings.  Raises UnusableQuarantine, one line per unusable one."""
    warnings, unusable, now = [], [], SystemClock().now()
    for quarantine in build_quarantines(config).values():
        try:
            quarantine.check(now)
            quarantine.clean(now)  # before the room is measured: what a crash left behind is removed first
            quarantine.require_room()
        except UnusableQuarantine as error:
            unusable.append(str(error))
        except QuarantineError as error:
            warnings.append(f"{error}: mail that must be held is answered 452 until there is room")
    if unusable:
        raise UnusableQuarantine("\n".join(unusable))
    return warnings


def look_after(config: Config, before: Mapping[str, Any]) -> Report:
    """Remove expired messages, mark full quarantines so that mail is answered 452, and maintain the journal.

    `before` is what else the last Report had; see Stocktaking.
    """
    sentences: list[str] = []
    clock, watch = SystemClock(), build_observation(config)
    recorders = Recorders(
        GivingUp(_sink(config), sentences.append), Administrator("the daemon", os.geteuid()), clock.now
    )
    stocktaking = Stocktaking(before, clock.now(), config.quarantine.keep if config.events.command else None)
    for directory in config.directories:
        try:
            with open_quarantines([directory], lambda files: files) as quarantines:
                [held] = quarantines.each
                held.require_changeable()
                expiry = Expiry(held, recorders.of(held), config.quarantine, watch, clock.now)
                try:
                    expiry.run()
                finally:  # even if expiry fails, mail must be answered 452 exactly where there is no room
                    sentences += expiry.settle()
                stocktaking.look(held, expiry.census())
        except NewerFormat as error:
            sentences.append(str(error))
        except (Unopenable, LedgerError, OSError) as error:
            sentences.append(f"quarantine {directory}: {error}")
    found = stocktaking.result()
    found["numbers"] += _look_after_journal(config, sentences.append)
    return Report([*sentences, *watch.problems], found)


def _look_after_journal(config: Config, say: Callable[[str], None]) -> list[list[str | float]]:
    """Compress and remove files of the journal; return its size as Tally.report does, and `say` what is wrong."""
    journal = config.journal
    if journal.directory is None:
        return []
    try:
        size = maintain(journal.directory, SystemClock().now(), journal.keep, journal.max_size)
    except OSError as error:
        say(f"journal: {error.filename or journal.directory}: {error.strerror}")
        return []
    return [[JOURNAL_BYTES.name, size]]


def build_service(loaded: Loaded, log: Log) -> Service:
    """The services that all connections of one worker share."""
    config, generation, clock = loaded.config, loaded.generation, SystemClock()
    names = DnsNames(config.dns.nameservers, timeout=config.dns.timeout)
    alarm, tally = NatAlarm(), Tally()
    journal = _journal(config, log)
    return Service(
        generation=lambda: generation,  # a worker serves one generation for all of its life
        names=names,
        log=log,
        counts=tally,
        clock=clock,
        executor=ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="quarantine"),
        sessions=Sessions(),
        watch=_watch(alarm, config, generation, log, clock),
        remarks=Remarks(log),
        figures=lambda: {
            **names.figures(),
            "clients_behind_nat": alarm.found,
            "counts": [*tally.report(), *(journal.report() if journal else ())],
        },
        finish=journal.stop if journal else lambda: None,
        journal=journal or NoJournal(),
    )


def _journal(config: Config, log: Log) -> JournalWriter | None:
    """The journal, whose thread is started; None if the configuration has none."""
    directory = config.journal.directory
    if directory is None:
        return None
    journal = JournalWriter(lambda name: JournalFile(directory, name, config.quarantine.floor).append, log)
    journal.start()
    return journal


def _watch(
    alarm: NatAlarm, config: Config, generation: Generation, log: Log, clock: Clock
) -> Callable[[Connection], None]:
    """A function that passes each connection to `alarm` and logs the warning that it returns."""
    trusted = {"": config.relay.allow} | {name: listener.relay.allow for name, listener in config.listener.items()}
    lock = Lock()

    def is_trusted(connection: Connection) -> bool:
        # Only an address entry can match many clients behind NAT, so no lookup of names is needed.
        match = trusted[generation.policy(connection).listener].find(connection._replace(names=Known()), clock.today())
        return listed(match.entry)

    def watch(connection: Connection) -> None:
        # Connections of this host to itself have no clients behind them, and would only dilute the other shares.
        if connection.client is None or connection.local or connection.from_itself:
            return
        with lock:
            said = alarm.seen(connection.client, lambda: is_trusted(connection))
        if said:
            log.say("warning", said)

    return watch
