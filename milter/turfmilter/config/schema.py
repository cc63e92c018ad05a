"""The configuration: its sections, keys, defaults and documentation; the sample and the reference come from here.

A new section is one more dataclass of settings, and one line in Config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from turfmilter.config.kinds.addresses import NameServers
from turfmilter.config.kinds.numbers import Count, Processes, Seconds, Size
from turfmilter.config.kinds.tables import Hosts
from turfmilter.config.kinds.words import AbsolutePath, AuthservId, Choice, Group, Permissions, Socket, User
from turfmilter.config.sections.connect import ConnectConfig
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
    """How the names of clients are looked up, where a rule needs them."""

    timeout: float = setting(
        Seconds(5),
        4.0,
        "Seconds for all that one client needs; then on_error of the rule decides. The client waits meanwhile.",
        example=2.5,
    )
    nameservers: tuple[tuple[str, int], ...] = setting(
        NameServers(),
        [],
        "Whom to ask; by default those of /etc/resolv.conf.",
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
    """How a line of the log is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """What is said, and where: one line a message and one a refusal."""

    to: LogTo = setting(
        Choice(LogTo),
        "syslog",
        "Syslog (facility mail) or standard error, which suits containers and the foreground.",
        example="stderr",
    )
    format: LogFormat = setting(
        Choice(LogFormat), "text", "Text is key=value, JSON is one object a line, with the same keys.", example="json"
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration as it is used.

    `here` is the listener that it is seen from, one without conditions for the general view.
    `warnings` are sentences for the administrator, `files` what was read (the configuration itself first),
    `written` the key paths that the file gives, `texts` what was read, by name: a file's name is its path.
    """

    socket: SocketSpec = setting(
        Socket(),
        "unix:/run/turfmilter/turfmilter.sock",
        "Where the MTA finds the filter. Debian's Postfix is chrooted: a unix socket for it lies below"
        ' /var/spool/postfix. "fd:3" is a socket that systemd opened.',
        example="unix:/var/spool/postfix/turfmilter/turfmilter.sock",
        sample="unix:/run/turfmilter/turfmilter.sock",
    )
    socket_mode: int = setting(Permissions(), "0660", "Permissions of a unix socket.", example="0600")
    socket_group: str = setting(
        Group(), "", "Group of a unix socket: the MTA's, so that it may connect.", example="postfix"
    )
    user: str = setting(
        User(), "", "Whom to become when started by root. Root itself is refused.", example="turfmilter"
    )
    protocol_engine: ProtocolEngine = setting(
        Choice(ProtocolEngine),
        "auto",
        "What speaks the milter protocol: libmilter, through pymilter, or loop, an implementation of this program. Auto"
        " is libmilter on Python 3.11 and loop on later versions, on which pymilter touches freed memory.",
        example="loop",
    )
    workers: int = setting(
        Processes(), 0, "How many processes serve the MTA. They share the tables in memory.", example=2
    )
    worker_sessions: int = setting(
        Count(),
        1_000_000,
        "After so many connections a worker is replaced by a new one; nobody is cut off.",
        example=100_000,
    )
    worker_memory: int = setting(
        Size(),
        "256 MiB",
        "A worker that has grown by more than this since its beginning is replaced by a new one; nobody is cut off.",
        example="64 MiB",
    )
    status: Path | None = setting(
        AbsolutePath("/run/turfmilter/status.json"),
        "/run/turfmilter/status.json",
        'What the filter is doing, rewritten every few seconds; `turfctl status` shows it. "" writes none.',
        example="",
    )
    state: Path | None = setting(
        AbsolutePath("/var/lib/turfmilter"),
        "/var/lib/turfmilter",
        "The directory in which the filter keeps what it must still know after a restart. It belongs to the filter's"
        ' user and has mode 0750. "" keeps nothing.',
        example="/srv/turfmilter",
    )
    mode: Mode = setting(
        Choice(Mode),
        "enforce",
        "For the whole program: trial evaluates every rule and logs what it would have done, off lets everything pass.",
        example="trial",
        sample="trial",
    )
    domains: HostTable = setting(
        Hosts("domains and addresses", exception_wins=True, received=True),
        [],
        "The domains that this host receives mail for, and the addresses for which user@[address] is ours."
        ' A domain covers its subdomains, "=domain" is only itself. "postfix:main.cf" means every domain that Postfix'
        " receives mail for, and follows its changes.",
        example=["example.org", "=example.net", "file:domains", "postfix:main.cf"],
        sample=[],
    )
    authserv_id: str = setting(
        AuthservId(),
        "",
        "The name under which reverse_name writes Authentication-Results; by default the MTA's own ({j}).",
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
    listener: Mapping[str, ListenerConfig] = named(ListenerConfig, _SUBMISSION)
    here: ListenerConfig = field(default_factory=ListenerConfig)
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    written: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def directories(self) -> tuple[Path, ...]:
        """Every quarantine in which a message can be held: the general one first, then those of listeners."""
        every = (turf.directory for turf in (self.turf, *(one.turf for one in self.listener.values())))
        return tuple(dict.fromkeys(directory for directory in every if directory))

    def at(self, name: str) -> Config:
        """The configuration as it is for the listener `name`: its sections are in the place of the general ones.

        "" is no listener: what is general stays.
        """
        if not name:
            return self
        here, above = self.listener[name], f"listener.{name}."
        own = {path.removeprefix(above) for path in self.written if path.startswith(above)}
        overriding = {section: getattr(here, section) for section in sections(ListenerConfig)}
        return replace(self, here=here, written=self.written | own, **overriding)
