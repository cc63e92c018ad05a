"""The composition root: the only place that knows every concrete class."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock

from turfmilter.config.choices import LogFormat, LogTo
from turfmilter.config.schema import Config
from turfmilter.core.entry import listed
from turfmilter.core.generation import Generation
from turfmilter.core.nat import NatAlarm
from turfmilter.core.policy import Policy
from turfmilter.core.ports import Clock, Log
from turfmilter.core.session import Connection, Known
from turfmilter.mta.remarks import Remarks
from turfmilter.mta.service import Service
from turfmilter.mta.sessions import Sessions
from turfmilter.policies import build_policy
from turfmilter.stores.dns import DnsNames
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


def build_generation(config: Config, number: int = 1) -> Generation:
    """The policy of every listener."""
    clock, quarantines = SystemClock(), build_quarantines(config)

    def policy(view: Config, name: str) -> Policy:
        directory = view.turf.directory
        return build_policy(view, clock, name, quarantines[directory] if directory else None)

    listeners = ((listener.conditions, policy(config.at(name), name)) for name, listener in config.listener.items())
    return Generation(policy(config, ""), tuple(listeners), number)


def build_quarantines(config: Config) -> dict[Path, Maildir]:
    """Every quarantine in which a message can be held."""
    return {directory: Maildir(directory) for directory in config.directories}


def build_log(config: Config) -> LogWriter:
    """The log; its thread is started by whoever uses it."""
    sink = Stream(sys.stderr) if config.log.to is LogTo.STDERR else Syslog()
    return LogWriter(sink, JSON if config.log.format is LogFormat.JSON else TEXT)


def build_service(config: Config, log: Log) -> Service:
    """What the connections of one process share."""
    generation, clock = build_generation(config), SystemClock()
    return Service(
        generation=lambda: generation,
        names=DnsNames(config.dns.nameservers, timeout=config.dns.timeout),
        log=log,
        clock=clock,
        executor=ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="quarantine"),
        sessions=Sessions(),
        watch=_watch(config, generation, log, clock),
        remarks=Remarks(log),
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
        if connection.client is None or connection.local:
            return
        with lock:
            said = alarm.seen(connection.client, lambda: is_trusted(connection))
        if said:
            log.say("warning", said)

    return watch
