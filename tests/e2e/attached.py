"""turfmilter attached to an MTA, its log and its quarantine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Self

from rig.daemon import Daemon
from rig.dnsserver import DnsServer
from rig.engine import WANTED
from rig.filter import USER, give, make_quarantine
from rig.server import Server

_CONFIG = """\
socket = "$socket"
socket_group = "postfix"
user = "$user"
status = ""
state = ""
protocol_engine = "$engine"
$config
[dns]
nameservers = ["$dns"]
timeout = $dns_timeout
[log]
to = "stderr"
"""


@dataclass(frozen=True)
class HeldBytes:
    """A file of the quarantine, read without the help of the program: its block, and the message below it."""

    name: str
    block: tuple[tuple[str, str], ...]
    message: bytes

    @classmethod
    def read(cls, path: Path) -> Self:
        """The file `path`.  Raises AssertionError if its digest is not that of the message."""
        above, end, rest = path.read_bytes().partition(b"\r\nX-Quarantine-SHA256: ")
        digest, _, message = rest.partition(b"\r\n")
        assert end, f"{path} has no block"
        assert digest.decode() == hashlib.sha256(message).hexdigest(), f"{path} is not the message that was held"
        lines = (line.partition(": ") for line in above.decode().split("\r\n"))
        return cls(path.name, tuple((name, value) for name, _, value in lines), message)

    def all(self, name: str) -> list[str]:
        """The values of the block's lines of that name."""
        return [value for key, value in self.block if key == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def recipients(self) -> list[str]:
        """The recipients from whom the message is held."""
        return self.all("X-Envelope-To")


class AttachedFilter(Server):
    """The daemon on a configuration, below `directory`.

    In `config` $quarantine is the Maildir, which is made here; keys without a section come first.  Names are asked of
    `dns` alone, for at most `dns_timeout` seconds.
    """

    def __init__(self, directory: Path, config: str, dns: DnsServer, dns_timeout: float) -> None:
        directory.mkdir()
        give(directory)
        self.quarantine = make_quarantine(directory / "quarantine")
        self.socket = f"unix:{directory}/turfmilter.sock"
        path = directory / "turfmilter.toml"
        host, port = dns.address
        own = {"socket": self.socket, "user": USER, "engine": WANTED.value}
        whole = Template(_CONFIG).substitute(own, config=config, dns=f"{host}:{port}", dns_timeout=dns_timeout)
        path.write_text(Template(whole).safe_substitute(quarantine=self.quarantine))
        self.daemon = Daemon(path, self.socket)

    def start(self) -> None:
        """Start the daemon, and return when it serves."""
        self.daemon.start()

    def stop(self) -> None:
        """Kill the daemon: how it ends is tested elsewhere."""
        self.daemon.kill()

    def said(self, pattern: str) -> str:
        """The first line of its log in which the regular expression is found, once there is one."""
        return self.daemon.wait_for_log(f"(?m)^.*(?:{pattern}).*$")[0]

    def held(self) -> list[HeldBytes]:
        """What is in quarantine, in any order."""
        return [HeldBytes.read(path) for path in (self.quarantine / "new").iterdir()]

    def half_written(self) -> list[Path]:
        """What is in tmp."""
        return list((self.quarantine / "tmp").iterdir())

    def release_all(self) -> None:
        """Empty the quarantine."""
        for path in [*(self.quarantine / "new").iterdir(), *self.half_written()]:
            path.unlink()
