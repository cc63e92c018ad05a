"""A mail host that was just installed: Debian's Postfix, and turfmilter as the files below contrib/ install it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.stockpostfix import StockPostfix
from rig.link import accepts
from rig.machine import own_machine
from rig.server import Program
from rig.sink import Sink
from rig.smtp import SmtpClient
from rig.unit import Unit

CONTRIB = Path(__file__).parents[2] / "contrib"
CONFIG = Path("/etc/turfmilter/turfmilter.toml")
SOCKET = "/var/spool/postfix/turfmilter/turfmilter.sock"


@dataclass
class StockHost:
    """Postfix, the filter as its unit starts it, and the sink that all mail goes to."""

    place: Path
    postfix: StockPostfix
    filter: Program
    sink: Sink

    def client(self, service: str) -> SmtpClient:
        """A client from elsewhere that has said EHLO."""
        client = SmtpClient(self.postfix.ports[service], source="127.0.0.2")
        client.ehlo()
        return client

    def logged(self, pattern: str) -> str:
        """The first line of the filter's log in which the regular expression is found, once there is one."""
        return self.filter.wait_for_log(f"(?m)^.*(?:{pattern}).*$")[0]

    def clear(self) -> None:
        """Forget what came, when nothing more is to come."""
        self.postfix.settle()
        self.sink.clear()


def run(*command: str | Path) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


@contextmanager
def installed(place: Path, config: str) -> Iterator[None]:
    """Inside a machine of its own: turfmilter, its user, its directories and its configuration."""
    with own_machine(place):
        run("install", "-d", "/var/spool/postfix", "/var/lib", "/etc/turfmilter")
        run("systemd-sysusers", CONTRIB / "systemd/sysusers.conf")
        run("systemd-tmpfiles", "--create", CONTRIB / "systemd/tmpfiles.conf", CONTRIB / "postfix/tmpfiles.conf")
        CONFIG.write_text(config)
        yield


@contextmanager
def stock_host(place: Path, config: str) -> Iterator[StockHost]:
    """The same with both of them running, and the filter not yet attached."""
    with ExitStack() as running:
        running.enter_context(installed(place, config))
        sink = running.enter_context(Sink())
        postfix = running.enter_context(StockPostfix(place / "postfix", sink=sink.port, accounts={"anna": "secret"}))
        unit = Unit(CONTRIB / "systemd/turfmilter.service")
        service = running.enter_context(unit.program(place / "filter.log", lambda: accepts(f"unix:{SOCKET}")))
        yield StockHost(place, postfix, service, sink)
