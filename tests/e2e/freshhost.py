"""A mail host on which nothing of turfmilter is installed yet: for those who follow the documentation word by word."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.stockhost import CONFIG, CONTRIB, SOCKET, run
from e2e.stockpostfix import StockPostfix
from e2e.stocksendmail import StockSendmail
from rig import wait
from rig.link import accepts
from rig.machine import own_machine
from rig.process import Process
from rig.services import UNITS, Services
from rig.sink import Sink
from rig.smtp import SmtpClient
from rig.syslog import Syslog

HOST = "mx.example.org"
_LOG = Path("/var/log/journal.txt")
_JOURNALCTL = Path(__file__).parents[1] / "rig/journalctl"


@dataclass
class Machine:
    """A host named mx.example.org that receives mail for example.org, and has no turfmilter yet but its programs."""

    place: Path
    sink: Sink
    services: Services

    def log(self) -> str:
        """What was sent to syslog."""
        return _LOG.read_text(errors="replace") if _LOG.exists() else ""

    def client(self) -> SmtpClient:
        """A client at port 25 that has said EHLO."""
        client = SmtpClient(25)
        client.ehlo()
        return client

    def wait_for_log(self, pattern: str) -> None:
        """Return when the regular expression is found in what was sent to syslog."""
        wait.until(lambda: re.search(pattern, self.log()), lambda: f"{pattern!r} in:\n{self.log()}")

    def foreground(self, *command: str) -> Process:
        """A command that goes on running in its own terminal; returned once the filter serves."""
        process = Process(command, self.place / "foreground.log")
        process.start(self.services.ready)
        return process


@dataclass
class PostfixMachine(Machine):
    """The same with Debian's Postfix."""

    postfix: StockPostfix


@contextmanager
def postfix_machine(place: Path) -> Iterator[PostfixMachine]:
    """The host with Postfix running."""
    with ExitStack() as running:
        sink = running.enter_context(_machine(place))
        postfix = running.enter_context(
            StockPostfix(
                place / "postfix",
                sink=sink.port,
                accounts={"anna": "secret"},
                host=HOST,
                domain="example.org",
                names=True,
            )
        )
        postfix.set_parameters("myorigin = example.org")
        Path("/var/log/postfix.txt").symlink_to(postfix.log_file)
        services = Services(place, lambda: accepts(f"unix:{SOCKET}"), {})
        running.enter_context(services)
        yield PostfixMachine(place, sink, services, postfix)


@contextmanager
def sendmail_machine(place: Path) -> Iterator[Machine]:
    """The host with Sendmail running."""
    with ExitStack() as running:
        sink = running.enter_context(_machine(place))
        _extensible(Path("/usr/share"), place / "share")
        _extensible(Path("/usr/sbin"), place / "sbin")
        for name in ("postconf", "sendmail"):  # Postfix is not installed there
            Path("/usr/sbin", name).unlink()
        sendmail = running.enter_context(StockSendmail(place, HOST, "example.org", sink.port))
        others: dict[str, Callable[[str], None]] = {"sendmail": lambda _: sendmail.restart()}
        services = Services(place, lambda: accepts("unix:/run/turfmilter/turfmilter.sock"), others)
        running.enter_context(services)
        yield Machine(place, sink, services)


@contextmanager
def _machine(place: Path) -> Iterator[Sink]:
    """The host without an MTA, inside namespaces of its own; what it logs is what `journalctl` shows."""
    with own_machine(place):
        _extensible(Path("/dev"), place / "dev")
        for directory in ("/var/log", "/var/lib", "/var/spool/postfix", "/etc/systemd/system"):
            Path(directory).mkdir(parents=True, exist_ok=True)
        Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {HOST} mx example.org\n")
        Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        shutil.copy(_JOURNALCTL, "/usr/local/sbin/journalctl")
        with Sink() as sink, Syslog(Path("/dev/log"), _LOG):
            yield sink


def _extensible(directory: Path, kept: Path) -> None:
    """Let names be added to a directory, such as /dev/log, and removed; all else in it is what it was."""
    kept.mkdir()
    subprocess.run(["mount", "--rbind", directory, kept], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "extensible", directory], check=True)
    for path in kept.iterdir():
        (directory / path.name).symlink_to(path)


def set_up(config: str, table: str = "", *, start: bool = True) -> None:
    """Install the filter as the tutorial does, with its user, its directories and its unit, a configuration and a
    turf.table."""
    for name in ("service", "socket"):
        shutil.copy(CONTRIB / f"systemd/turfmilter.{name}", UNITS)
    run("systemd-sysusers", CONTRIB / "systemd/sysusers.conf")
    run("systemd-tmpfiles", "--create", CONTRIB / "systemd/tmpfiles.conf", CONTRIB / "postfix/tmpfiles.conf")
    CONFIG.parent.mkdir()
    CONFIG.write_text(config)
    CONFIG.with_name("turf.table").write_text(table)
    if start:
        run("systemctl", "start", "turfmilter")
