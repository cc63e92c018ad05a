"""The configuration: its sections, keys, defaults and documentation.

The sample file and the reference are generated from it.  A new section is one more dataclass of settings in
config/sections, and one line in Config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from turfmilter.config.kinds.addresses import NameServers
from turfmilter.config.kinds.numbers import Count, Processes, Seconds, Size
from turfmilter.config.kinds.tables import Hosts
from turfmilter.config.kinds.words import AbsolutePath, AuthservId, Choice, GroupName, Permissions, Socket, UserName
from turfmilter.config.sections.connect import ConnectConfig
from turfmilter.config.sections.events import EventsConfig
from turfmilter.config.sections.journal import JournalConfig
from turfmilter.config.sections.limits import CapConfig, LimitsConfig
from turfmilter.config.sections.listener import ListenerConfig
from turfmilter.config.sections.quarantine import QuarantineConfig, ReleaseConfig
from turfmilter.config.sections.relay import RelayConfig
from turfmilter.config.sections.reverse_name import ReverseNameConfig
from turfmilter.config.sections.turf import TurfConfig
from turfmilter.config.setting import named, repeated, section, sections, setting
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.policy import Mode
from turfmilter.core.table.hosts import HostTable

_TRY_MATCH_SENDER = """\
[reverse_name]
mode = "trial"
check = "match-sender"
"""

_NEWSLETTER = """\
[[cap]]
authenticated = ["newsletter"]
recipients_per_message = 5000
"""

_SUBMISSION = """\
[listener.submission]
port = [465, 587]
require_auth = true
require_tls = true

[listener.submission.limits]
recipients_per_message = 500
"""


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """How the names of clients are looked up, if a rule needs them."""

    timeout: float = setting(
        Seconds(5),
        4.0,
        "Seconds for all queries about one client, which waits for them; after that, on_error of the rule applies.",
        example=2.5,
    )
    nameservers: tuple[tuple[str, int], ...] = setting(
        NameServers(),
        [],
        "The name servers to query; by default, those in /etc/resolv.conf.",
        example=["127.0.0.1:5353", "192.0.2.53"],
    )


class ProtocolEngine(Enum):
    """What speaks the milter protocol with the MTA."""

    AUTO = "auto"
    LIBMILTER = "libmilter"
    LOOP = "loop"


class LogTo(Enum):
    """Where the log goes."""

    SYSLOG = "syslog"
    STDERR = "stderr"


class LogFormat(Enum):
    """The format of a line in the log."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The log, which has one line for each message and each refusal."""

    to: LogTo = setting(
        Choice(LogTo),
        "syslog",
        "Syslog (facility mail), or standard error, which suits containers and the foreground.",
        example="stderr",
    )
    format: LogFormat = setting(
        Choice(LogFormat),
        "text",
        "Text has key=value; JSON has one object in each line, with the same keys.",
        example="json",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration, with all defaults applied.

    `here` is the listener to which it applies (see `at`); in general, one without conditions.  `warnings` are messages
    for the administrator, `files` the files that were read (the configuration first), `written` the key paths in the
    file, and `texts` everything that was read, by name; the name of a file is its path.
    """

    socket: SocketSpec = setting(
        Socket(),
        "unix:/run/turfmilter/turfmilter.sock",
        "The socket to which the MTA connects. Debian's Postfix runs in a chroot, so a unix socket for it must be below"
        ' /var/spool/postfix. "fd:3" is a socket that systemd opened.',
        example="unix:/var/spool/postfix/turfmilter/turfmilter.sock",
        sample="unix:/run/turfmilter/turfmilter.sock",
    )
    socket_mode: int = setting(Permissions(), "0660", "Permissions of a unix socket.", example="0600")
    socket_group: str = setting(
        GroupName(), "", "Group of a unix socket: the MTA's group, so that the MTA can connect.", example="postfix"
    )
    user: str = setting(
        UserName(), "", "User to switch to when started as root. Must not be root.", example="turfmilter"
    )
    protocol_engine: ProtocolEngine = setting(
        Choice(ProtocolEngine),
        "auto",
        "What speaks the milter protocol with the MTA: libmilter, through pymilter, or loop, an implementation of this"
        " program. Auto is libmilter on Python 3.11 and loop on later versions, where pymilter accesses freed memory.",
        example="loop",
    )
    workers: int = setting(
        Processes(), 0, "How many worker processes serve the MTA. They share the tables in memory.", example=2
    )
    worker_sessions: int = setting(
        Count(),
        1_000_000,
        "After this number of connections, a worker is replaced by a new one; no connection is interrupted.",
        example=100_000,
    )
    worker_memory: int = setting(
        Size(),
        "256 MiB",
        "A worker whose memory has grown by more than this since its start is replaced by a new one;"
        " no connection is interrupted.",
        example="64 MiB",
    )
    status: Path | None = setting(
        AbsolutePath("/run/turfmilter/status.json"),
        "/run/turfmilter/status.json",
        "The status file, which is rewritten every few seconds; `turfctl status` shows it. Beside it is control.sock,"
        ' to which `turfctl reload` connects. "" disables both.',
        example="",
    )
    metrics: Path | None = setting(
        AbsolutePath("/run/turfmilter/turfmilter.prom"),
        "",
        "A file with metrics for Prometheus, which the textfile collector of node_exporter reads. It is written when"
        ' the status file is. With "", there is none.',
        example="/run/turfmilter/turfmilter.prom",
    )
    state: Path | None = setting(
        AbsolutePath("/var/lib/turfmilter"),
        "/var/lib/turfmilter",
        "The directory in which the filter stores what it needs after a restart. It must belong to the filter's user,"
        ' with mode 0750. With "", nothing is stored.',
        example="/srv/turfmilter",
    )
    mode: Mode = setting(
        Choice(Mode),
        "enforce",
        "For the whole program: trial evaluates every rule and logs what it would have done; off accepts all mail.",
        example="trial",
        sample="trial",
    )
    domains: HostTable = setting(
        Hosts("domains and addresses", exception_wins=True, received=True),
        [],
        "The domains for which this host receives mail, and the addresses for which user@[address] is ours."
        ' A domain covers its subdomains; "=domain" is only the domain itself. "postfix:main.cf" means every domain for'
        " which Postfix receives mail, and follows its changes.",
        example=["example.org", "=example.net", "file:domains", "postfix:main.cf"],
        sample=[],
    )
    authserv_id: str = setting(
        AuthservId(),
        "",
        "The name under which reverse_name writes Authentication-Results; by default, the MTA's own name ({j}).",
        example="mx.example.org",
    )
    dns: DnsConfig = section(DnsConfig)
    log: LogConfig = section(LogConfig)
    connect: ConnectConfig = section(ConnectConfig)
    reverse_name: ReverseNameConfig = section(ReverseNameConfig, _TRY_MATCH_SENDER)
    relay: RelayConfig = section(RelayConfig)
    limits: LimitsConfig = section(LimitsConfig)
    cap: tuple[CapConfig, ...] = repeated(CapConfig, _NEWSLETTER)
    turf: TurfConfig = section(TurfConfig)
    quarantine: QuarantineConfig = section(QuarantineConfig)
    release: ReleaseConfig = section(ReleaseConfig)
    journal: JournalConfig = section(JournalConfig)
    events: EventsConfig = section(EventsConfig)
    listener: Mapping[str, ListenerConfig] = named(ListenerConfig, _SUBMISSION)
    here: ListenerConfig = field(default_factory=ListenerConfig)
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    written: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def control(self) -> Path | None:
        """The control socket, beside the status file; None if status reporting is disabled."""
        return self.status.with_name("control.sock") if self.status else None

    @property
    def directories(self) -> tuple[Path, ...]:
        """Every quarantine directory: the general one first, then those of listeners."""
        every = (turf.directory for turf in (self.turf, *(one.turf for one in self.listener.values())))
        return tuple(dict.fromkeys(directory for directory in every if directory))

    def at(self, name: str) -> Config:
        """Return the configuration for the listener `name`, with its sections in place of the general ones.

        With "", return the general configuration.
        """
        if not name:
            return self
        here, above = self.listener[name], f"listener.{name}."
        own = {path.removeprefix(above) for path in self.written if path.startswith(above)}
        overriding = {section: getattr(here, section) for section in sections(ListenerConfig)}
        return replace(self, here=here, written=self.written | own, **overriding)
