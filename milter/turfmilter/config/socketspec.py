"""The socket of the filter: how it is written in the configuration, and for each MTA."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePath, PurePosixPath

_MAX_PATH_BYTES = 107  # bytes; sun_path of unix(7) has 108, the last of which is NUL
_QUEUE_DIRECTORY = PurePosixPath("/var/spool/postfix")
_NOT_FOR_MTAS = re.compile(r"[^!-~]|[,'`{}]")  # main.cf splits at blanks, commas and braces, m4 at its quotes
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}")
_FORMS = 'write "unix:/PATH", "inet:PORT@HOST", "inet6:PORT@HOST" or "fd:NUMBER"'
# Postfix writes the port last.
_POSTFIX = re.compile(r"(?P<inet>inet6?:)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>\d+)")
# Without default_action, milter_default_action applies, which may be "accept" because of other filters.
_MAIN_CF = "smtpd_milters = {{ {where}, default_action=tempfail }}"
# Without F=T, Sendmail passes mail unfiltered while the filter is down.  Its default R:10s is too short for slow disks.
_SENDMAIL = "INPUT_MAIL_FILTER(`turfmilter', `S={where}, F=T, T=C:2m;S:30s;R:60s;E:5m')dnl"


@dataclass(frozen=True, slots=True)
class SocketSpec:
    """One of unix:/PATH, inet:PORT@HOST, inet6:PORT@HOST, fd:NUMBER.

    `family` is "unix", "inet", "inet6" or "fd"; fields that it does not use are "" or 0.
    If `host` is "", the socket has all addresses of this host.
    """

    family: str
    path: str = ""
    host: str = ""
    port: int = 0
    fd: int = 0

    @classmethod
    def parse(cls, text: str) -> SocketSpec:
        """Return the socket written in `text`.  Raises ValueError with what is wrong and what was probably meant."""
        postfix = _POSTFIX.fullmatch(text)
        if postfix and (postfix["inet"] or re.search(r"[.\[]|localhost", postfix["host"])):
            family = "inet6" if postfix["host"].startswith("[") else "inet"
            ours = f"{family}:{postfix['port']}@{postfix['host'].strip('[]')}"
            raise ValueError(f'that is how Postfix writes it; here, write "{ours}"')
        if text.startswith("/"):
            return cls._unix(text)
        family, colon, rest = text.partition(":")
        if not colon or family.lower() not in ("unix", "local", "inet", "inet6", "fd"):
            raise ValueError(f"not a socket; {_FORMS}")
        if family.lower() in ("unix", "local"):
            return cls._unix(rest)
        return cls._fd(rest) if family.lower() == "fd" else cls._inet(family.lower(), rest)

    @classmethod
    def _unix(cls, path: str) -> SocketSpec:
        if not path.startswith("/"):
            raise ValueError('the path is relative; write all of it, such as "unix:/run/turfmilter/turfmilter.sock"')
        odd = _NOT_FOR_MTAS.search(path)
        if odd:
            raise ValueError(f"the path contains {odd[0]!a}, which cannot be written in the MTA's configuration")
        if len(path) > _MAX_PATH_BYTES:
            raise ValueError(f"the path has {len(path)} bytes; that of a unix socket has at most {_MAX_PATH_BYTES}")
        return cls("unix", path=path)

    @classmethod
    def _fd(cls, number: str) -> SocketSpec:
        if not re.fullmatch(r"[0-9]{1,6}", number) or int(number) < 3:
            raise ValueError("the descriptor must be a number, at least 3; systemd passes its first socket as fd:3")
        return cls("fd", fd=int(number))

    @classmethod
    def _inet(cls, family: str, rest: str) -> SocketSpec:
        port, at, host = rest.partition("@")
        if not re.fullmatch(r"[0-9]+", port):
            raise ValueError(f'"{port}" is not a port number; write "{family}:8895@{host or _loopback(family)}"')
        if len(port) > 5 or not 1 <= int(port) <= 65535:
            raise ValueError(f"port {port} is out of range; ports are 1 to 65535")
        if at and not host:
            raise ValueError(f'no host after "@"; write "{family}:{port}@{_loopback(family)}"')
        host = host.removeprefix("[").removesuffix("]")
        _check_host(family, port, host)
        return cls(family, host=host, port=int(port))

    @property
    def loopback(self) -> bool:
        """False if other hosts may reach the socket; True for an inherited descriptor, whose address is unknown."""
        return self.family in ("unix", "fd") or is_loopback(self.host)

    def at(self, host: str, port: str) -> bool:
        """Return True if an MTA on this host that connects to `host` and `port` reaches this socket."""
        if self.family not in ("inet", "inet6") or port != str(self.port):
            return False
        return self.host in ("", "0.0.0.0", "::", host) or (self.loopback and is_loopback(host))

    def postfix(self, queue: PurePath = _QUEUE_DIRECTORY) -> str | None:
        """Return the line for main.cf; None for fd, whose address is unknown.

        Debian's smtpd runs in a chroot at the `queue` directory.  A path below it is written relative to it, which
        works both with and without the chroot, because smtpd's working directory is the same.
        """
        if self.family == "fd":
            return None
        if self.family == "unix":
            path = PurePosixPath(self.path)
            return _MAIN_CF.format(where=f"unix:{path.relative_to(queue) if path.is_relative_to(queue) else path}")
        host = f"[{self._reachable}]" if ":" in self._reachable else self._reachable
        return _MAIN_CF.format(where=f"inet:{host}:{self.port}")

    def sendmail(self) -> str | None:
        """Return the line for sendmail.mc; None for fd, whose address is unknown."""
        if self.family == "fd":
            return None
        where = f"local:{self.path}" if self.family == "unix" else f"{self.family}:{self.port}@{self._reachable}"
        return _SENDMAIL.format(where=where)

    @property
    def _reachable(self) -> str:
        """The address to which an MTA on this host connects."""
        return _loopback(self.family) if self.host in ("", "0.0.0.0", "::") else self.host

    def __str__(self) -> str:
        if self.family == "fd":
            return f"fd:{self.fd}"
        if self.family == "unix":
            return f"unix:{self.path}"
        return f"{self.family}:{self.port}@{self.host}" if self.host else f"{self.family}:{self.port}"


def is_loopback(host: str) -> bool:
    """Return True for a loopback address, and for localhost."""
    return ip_address(host).is_loopback if _version(host) else host.lower() == "localhost"


def _loopback(family: str) -> str:
    return "::1" if family == "inet6" else "127.0.0.1"


def _version(host: str) -> int:
    """Return 4 or 6 for an address, 0 for a name."""
    try:
        return ip_address(host).version
    except ValueError:
        return 0


def _check_host(family: str, port: str, host: str) -> None:
    """Raise ValueError unless `host` is a name, an address of `family`, or ""."""
    needed = 6 if family == "inet6" else 4
    version = _version(host)
    if version and version != needed:
        other = "inet6" if version == 6 else "inet"
        raise ValueError(f'{host} is an IPv{version} address; write "{other}:{port}@{host}"')
    if host and not version and not (_HOST_NAME.fullmatch(host) and re.search("[A-Za-z]", host)):
        raise ValueError(f'"{host}" is neither an address nor a host name; write "{family}:{port}@{_loopback(family)}"')
