"""The configuration: its sections, keys, defaults and documentation; the sample and the reference come from here.

A new section is one more dataclass of settings, and one line in Config.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from turfmilter.config.choices import LogFormat, LogTo
from turfmilter.config.kinds import Choice, Group, Permissions, Socket, User
from turfmilter.config.relay import RelayConfig
from turfmilter.config.setting import section, setting
from turfmilter.config.socketspec import SocketSpec
from turfmilter.config.tables import Hosts
from turfmilter.config.turf import TurfConfig
from turfmilter.core.hosts import HostTable
from turfmilter.core.policy import Mode


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

    `warnings` are sentences for the administrator, `files` what was read (the configuration itself first),
    `written` the key paths that the file gives.
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
    mode: Mode = setting(
        Choice(Mode),
        "enforce",
        "For the whole program: trial evaluates every rule and logs what it would have done, off lets everything pass.",
        example="trial",
        sample="trial",
    )
    domains: HostTable = setting(
        Hosts("domains and addresses", exception_wins=True),
        [],
        "The domains that this host receives mail for, and the addresses for which user@[address] is ours."
        ' A domain covers its subdomains, "=domain" is only itself.',
        example=["example.org", "=example.net", "file:domains"],
        sample=[],
    )
    log: LogConfig = section(LogConfig)
    relay: RelayConfig = section(RelayConfig)
    turf: TurfConfig = section(TurfConfig)
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    written: frozenset[str] = frozenset()
