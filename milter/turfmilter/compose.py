"""The composition root: the only place that knows every concrete class."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock

from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config, LogFormat, LogTo
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.policy import Generation, Policy
from turfmilter.core.ports import Clock, Log, QuarantineError
from turfmilter.core.session import Connection, Known
from turfmilter.core.table.entry import listed
from turfmilter.daemon import mtas
from turfmilter.daemon.reload import Loaded, Program
from turfmilter.mta.nat import NatAlarm
from turfmilter.mta.postconf import Postconf
from turfmilter.mta.service import Remarks, Service, Sessions
from turfmilter.policies import build_policy
from turfmilter.review.administrator import Administrator
from turfmilter.review.expiry import Expiry
from turfmilter.review.observation import Observation
from turfmilter.review.recorder import Recorder
from turfmilter.stores.dns import DnsNames
from turfmilter.stores.lastgood import Copy, LastGood, NoCopy
from turfmilter.stores.ledger import Ledger, LedgerError
from turfmilter.stores.maildir import Maildir, UnusableMaildir
from turfmilter.stores.opened import NewerFormat, OpenMaildir, Unopenable
from turfmilter.stores.retention import RetentionState, read_clocks
from turfmilter.telemetry.line import JSON, TEXT
from turfmilter.telemetry.sink import GivingUp, Sink, Stream, Syslog
from turfmilter.telemetry.writer import LogWriter

_DISK_THREADS = 32  # messages written to disk at the same time


class SystemClock:
    """The computer's clock."""

    def today(self) -> date:
        """The day, UTC."""
        return datetime.now(UTC).date()

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)


def build_generation(config: Config, number: int = 1) -> Generation:
    """The policy of every listener."""
    quarantines = build_quarantines(config)

    def policy(view: Config, name: str) -> Policy:
        directory = view.turf.directory
        return build_policy(view, name, quarantines[directory] if directory else None)

    listeners = ((listener.conditions, policy(config.at(name), name)) for name, listener in config.listener.items())
    return Generation(policy(config, ""), tuple(listeners), number)


def build_quarantines(config: Config) -> dict[Path, Maildir]:
    """Every quarantine in which a message can be held."""
    return {directory: Maildir(directory, floor=config.quarantine.floor) for directory in config.directories}


def build_log(config: Config) -> LogWriter:
    """The log; its thread is started by whoever uses it."""
    return LogWriter(_sink(config), JSON if config.log.format is LogFormat.JSON else TEXT)


def _sink(config: Config) -> Sink:
    # A stream of its own: a lock of sys.stderr may be held by another thread when a process is forked.
    stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - open as long as the process is
    return Stream(stderr) if config.log.to is LogTo.STDERR else Syslog()


def build_program(path: Path, socket: SocketSpec | None) -> Program:
    """What the processes of the daemon are made of, with the configuration in the file `path`."""

    def load_generation(number: int) -> Loaded:
        try:
            config = load_config(path, socket)
        except ConfigError as error:
            raise ConfigError(every_problem(error), error.files) from None
        warnings = (*config.warnings, *check_quarantines(config), *check_mtas(config))
        return Loaded(config, build_generation(config, number), warnings)

    return Program(load_generation, build_service, build_log, look_after_quarantines, keep_copy, SystemClock())


def keep_copy(config: Config) -> list[str]:
    """Keep what `config` was made of for a start with broken files; sentences for the administrator."""
    assert config.state
    try:
        LastGood(config.state).keep(config.files[0], Copy(SystemClock().now(), config.texts))
    except OSError as error:
        return [f"state: {config.state}: a start with broken files would fail: no copy can be kept: {error.strerror}"]
    return []


def load_copy(path: Path, state: Path) -> tuple[Config, str]:
    """The configuration `path` as it was in force last, and since when.  Raises NoCopy.

    Root must not ask: the copy is another user's, who could have root read what is not his.
    """
    copy = LastGood(state).read(path.absolute())
    try:
        return load(path, kept=copy.texts, today=SystemClock().today()), copy.since.isoformat(timespec="seconds")
    except ConfigError as error:
        raise NoCopy(f"the copy in {state} cannot be used: {error.problems[0]}") from None


def load_config(path: Path, socket: SocketSpec | None) -> Config:
    """The configuration, with another `socket` than the file's if there is one.  Raises ConfigError."""
    return load(path, postfix=Postconf(), socket=socket, today=SystemClock().today())


def check_mtas(config: Config) -> list[str]:
    """Warnings about what does not go together with the configuration of the MTA; it takes 5 seconds at most."""
    return mtas.warnings(config, SystemClock().today())


def every_problem(error: ConfigError) -> tuple[str, ...]:
    """The problems of a configuration, and those of the quarantines that it names all the same."""
    try:
        if error.rest:
            check_quarantines(error.rest)
    except UnusableMaildir as unusable:
        return (*error.problems, *str(unusable).splitlines())
    return error.problems


def check_quarantines(config: Config) -> list[str]:
    """Warnings about the quarantines.  Raises UnusableMaildir, with a line for each that cannot be used."""
    warnings, unusable, now = [], [], SystemClock().now()
    for quarantine in build_quarantines(config).values():
        try:
            quarantine.check(now)
            quarantine.clean(now)
            quarantine.require_room()
        except UnusableMaildir as error:
            unusable.append(str(error))
        except QuarantineError as error:
            warnings.append(f"{error}: messages that are to be held are answered 452 until there is room")
    if unusable:
        raise UnusableMaildir("\n".join(unusable))
    return warnings


def look_after_quarantines(config: Config) -> list[str]:
    """Remove what is due, and let the MTA wait where there is no room; sentences for the administrator."""
    sentences: list[str] = []
    sink, clock = GivingUp(_sink(config), sentences.append), SystemClock()
    who, watch = Administrator("the daemon", os.geteuid()), Observation(RetentionState(config.state), read_clocks)
    for directory in config.directories:
        try:
            with OpenMaildir(directory) as maildir:
                maildir.require_changeable()
                recorder = Recorder(Ledger(maildir.root), sink, who, clock.now)
                expiry = Expiry(maildir, recorder, config.quarantine, watch, clock.now)
                try:
                    expiry.run()
                finally:  # whatever becomes of it, the MTA is to wait exactly where there is no room
                    sentences += expiry.settle()
        except NewerFormat as error:
            sentences.append(str(error))
        except (Unopenable, LedgerError, OSError) as error:
            sentences.append(f"quarantine {directory}: {error}")
    return [*sentences, *watch.problems]


def build_service(loaded: Loaded, log: Log) -> Service:
    """What the connections of one process share."""
    config, generation, clock = loaded.config, loaded.generation, SystemClock()
    names = DnsNames(config.dns.nameservers, timeout=config.dns.timeout)
    return Service(
        generation=lambda: generation,
        names=names,
        log=log,
        clock=clock,
        executor=ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="quarantine"),
        sessions=Sessions(),
        watch=_watch(config, generation, log, clock),
        remarks=Remarks(log),
        figures=names.figures,
    )


def _watch(config: Config, generation: Generation, log: Log, clock: Clock) -> Callable[[Connection], None]:
    """Shows the NAT alarm every client, and logs what it says."""
    trusted = {"": config.relay.allow} | {name: listener.relay.allow for name, listener in config.listener.items()}
    alarm, lock = NatAlarm(), Lock()

    def is_trusted(connection: Connection) -> bool:
        # Only addresses can be those of many: a name is not waited for.
        match = trusted[generation.policy(connection).listener].find(connection._replace(names=Known()), clock.today())
        return listed(match.entry)

    def watch(connection: Connection) -> None:
        # What this host gives to itself has nobody behind it, and would only dilute the share of the others.
        if connection.client is None or connection.local or connection.from_itself:
            return
        with lock:
            said = alarm.seen(connection.client, lambda: is_trusted(connection))
        if said:
            log.say("warning", said)

    return watch
