"""Where the MTA finds the filter: one socket, spelled as libmilter spells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePath, PurePosixPath

_MAX_PATH_BYTES = 107  # sun_path of unix(7) has room for 108 bytes, the last one is NUL
_QUEUE_DIRECTORY = PurePosixPath("/var/spool/postfix")
_NEITHER_CAN_SAY = re.compile(r"[^!-~]|[,'`{}]")  # main.cf splits at blanks, commas and braces, m4 at its quotes
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}")
_FORMS = 'write "unix:/PATH", "inet:PORT@HOST", "inet6:PORT@HOST" or "fd:NUMBER"'
# Postfix puts the port last.
_POSTFIX = re.compile(r"(?P<inet>inet6?:)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>\d+)")
# Without an action of its own the filter has milter_default_action, which may be "accept" for the sake of others.
_MAIN_CF = "smtpd_milters = {{ {where}, default_action=tempfail }}"
# Sendmail passes mail unfiltered unless F= says otherwise; its stock R:10s is shorter than a slow disk.
_SENDMAIL = "INPUT_MAIL_FILTER(`turfmilter', `S={where}, F=T, T=C:2m;S:30s;R:60s;E:5m')dnl"


@dataclass(frozen=True, slots=True)
class SocketSpec:
    """One of unix:/PATH, inet:PORT@HOST, inet6:PORT@HOST, fd:NUMBER.

    `family` is "unix", "inet", "inet6" or "fd"; what the family does not use is "" or 0.
    `host` "" is every address of this machine.
    """

    family: str
    path: str = ""
    host: str = ""
    port: int = 0
    fd: int = 0

    @classmethod
    def parse(cls, text: str) -> SocketSpec:
        """The socket written in `text`.  Raises ValueError saying what is wrong and what was probably meant."""
        postfix = _POSTFIX.fullmatch(text)
        if postfix and (postfix["inet"] or re.search(r"[.\[]|localhost", postfix["host"])):
            family = "inet6" if postfix["host"].startswith("[") else "inet"
            ours = f"{family}:{postfix['port']}@{postfix['host'].strip('[]')}"
            raise ValueError(f'that is Postfix\'s spelling; here it is "{ours}"')
        if text.startswith("/"):
            return cls._unix(text)
        family, colon, rest = text.partition(":")
        if not colon or family.lower() not in ("unix", "local", "inet", "inet6", "fd"):
            raise ValueError(f"no kind of socket; {_FORMS}")
        if family.lower() in ("unix", "local"):
            return cls._unix(rest)
        return cls._fd(rest) if family.lower() == "fd" else cls._inet(family.lower(), rest)

    @classmethod
    def _unix(cls, path: str) -> SocketSpec:
        if not path.startswith("/"):
            raise ValueError('the path is relative; write all of it, such as "unix:/run/turfmilter/turfmilter.sock"')
        odd = _NEITHER_CAN_SAY.search(path)
        if odd:
            raise ValueError(f"the path contains {odd[0]!a}, which the MTA's configuration cannot hold")
        if len(path) > _MAX_PATH_BYTES:
            raise ValueError(f"the path has {len(path)} bytes, a unix socket's at most {_MAX_PATH_BYTES}")
        return cls("unix", path=path)

    @classmethod
    def _fd(cls, number: str) -> SocketSpec:
        if not re.fullmatch(r"[0-9]{1,6}", number) or int(number) < 3:
            raise ValueError("the descriptor must be a number from 3 on; systemd passes its first socket as fd:3")
        return cls("fd", fd=int(number))

    @classmethod
    def _inet(cls, family: str, rest: str) -> SocketSpec:
        port, at, host = rest.partition("@")
        if not re.fullmatch(r"[0-9]+", port):
            raise ValueError(f'"{port}" is no port number; write "{family}:8895@{host or _loopback(family)}"')
        if len(port) > 5 or not 1 <= int(port) <= 65535:
            raise ValueError(f"port {port} is out of range; ports are 1 to 65535")
        if at and not host:
            raise ValueError(f'no host after "@"; write "{family}:{port}@{_loopback(family)}"')
        host = host.removeprefix("[").removesuffix("]")
        _check_host(family, port, host)
        return cls(family, host=host, port=int(port))

    @property
    def loopback(self) -> bool:
        """False when other machines may reach the socket; an inherited descriptor is its giver's business."""
        return self.family in ("unix", "fd") or is_loopback(self.host)

    def at(self, host: str, port: str) -> bool:
        """True when an MTA of this machine that connects to `host` and `port` reaches this socket."""
        if self.family not in ("inet", "inet6") or port != str(self.port):
            return False
        return self.host in ("", "0.0.0.0", "::", host) or (self.loopback and is_loopback(host))

    def postfix(self, queue: PurePath = _QUEUE_DIRECTORY) -> str | None:
        """The line for main.cf; None for fd, whose address only its giver knows.

        Debian's smtpd runs chrooted in the `queue` directory: a path below it is written from there,
        which works inside the chroot and outside.
        """
        if self.family == "fd":
            return None
        if self.family == "unix":
            path = PurePosixPath(self.path)
            return _MAIN_CF.format(where=f"unix:{path.relative_to(queue) if path.is_relative_to(queue) else path}")
        host = f"[{self._reachable}]" if ":" in self._reachable else self._reachable
        return _MAIN_CF.format(where=f"inet:{host}:{self.port}")

    def sendmail(self) -> str | None:
        """The line for sendmail.mc; None for fd, whose address only its giver knows."""
        if self.family == "fd":
            return None
        where = f"local:{self.path}" if self.family == "unix" else f"{self.family}:{self.port}@{self._reachable}"
        return _SENDMAIL.format(where=where)

    @property
    def _reachable(self) -> str:
        """Where an MTA on this machine connects to."""
        return _loopback(self.family) if self.host in ("", "0.0.0.0", "::") else self.host

    def __str__(self) -> str:
        if self.family == "fd":
            return f"fd:{self.fd}"
        if self.family == "unix":
            return f"unix:{self.path}"
        return f"{self.family}:{self.port}@{self.host}" if self.host else f"{self.family}:{self.port}"


def is_loopback(host: str) -> bool:
    """True for an address of loopback, and for localhost."""
    return ip_address(host).is_loopback if _version(host) else host.lower() == "localhost"


def _loopback(family: str) -> str:
    return "::1" if family == "inet6" else "127.0.0.1"


def _version(host: str) -> int:
    """4 or 6 for an address, 0 for a name."""
    try:
        return ip_address(host).version
    except ValueError:
        return 0


def _check_host(family: str, port: str, host: str) -> None:
    """Raises ValueError when `host` is neither a name nor an address of `family`."""
    needed = 6 if family == "inet6" else 4
    version = _version(host)
    if version and version != needed:
        other = "inet6" if version == 6 else "inet"
        raise ValueError(f'{host} is an IPv{version} address; write "{other}:{port}@{host}"')
    if host and not version and not (_HOST_NAME.fullmatch(host) and re.search("[A-Za-z]", host)):
        raise ValueError(f'"{host}" is neither an address nor a host name; write "{family}:{port}@{_loopback(family)}"')
