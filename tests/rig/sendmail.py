"""A private Sendmail: own configuration, queues, log, ports and namespaces; it runs from where it was unpacked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from rig import wait
from rig.certificate import make_certificate
from rig.enclosure import enclosed
from rig.ports import free_port
from rig.process import Process
from rig.sendmailcf import PROGRAM, SUBMITTER, listener, logins, make_cf, mta_mc, submit_mc, tables
from rig.smtp import SmtpClient
from rig.syslog import Syslog

HOST = "mx.rig.test"


class Sendmail:
    """A Sendmail below `directory`, which is made if need be.  Needs root, and what tests/rig/install has unpacked.

    All mail that it takes goes to the SMTP server at the loopback port `sink`.  `domains` are its own, so that it
    resolves what hides in `x%there@ours`; every client is trusted, so that the filter alone decides, unless `relays`
    names the clients (192.0.2) and domains that it relays for.  Local users lose their domain, as Sendmail has it.
    `milter` is the socket as smtpd_milters writes it ("unix:/path", "inet:127.0.0.1:PORT"); "" is none.  It is attached
    with the feature that contrib ships.  `lines` of m4 stand in sendmail.mc, above the mailers.
    `maps` are tables by the feature that reads them (virtusertable, mailertable), and "aliases".
    `listeners` are further SMTP listeners by name, which is their Name=, with their own DaemonPortOptions:
    {"submission": "M=Ea"}; "InputMailFilters=" takes the filter away.
    `ports` holds the port of each: "inbound", "unfiltered" and those.
    Where there are `accounts` (name and password) clients may log in, and start TLS with the server's `certificate`.
    `hosts` are names by address: all that it knows of clients.
    `files` are what it sees elsewhere: {"/run/turfmilter": place}.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sink: int,
        milter: str = "",
        domains: Iterable[str] = ("rig.test",),
        relays: Iterable[str] | None = None,
        lines: Iterable[str] = (),
        maps: Mapping[str, Mapping[str, str]] | None = None,
        listeners: Mapping[str, str] | None = None,
        accounts: Mapping[str, str] | None = None,
        hosts: Mapping[str, str] | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        self.directory = directory
        self.config = directory / "etc"
        self.certificate = self.config / "certificate.pem"
        self._sink = sink
        self._milter = milter
        self._domains = tuple(domains)
        self._relays = None if relays is None else tuple(relays)
        self._lines = tuple(lines)
        # Without an alias file that it can open, it queues all local mail.
        self._maps = {"aliases": {}, **(maps or {})}
        self._listeners = {"inbound": "", **(listeners or {})}
        self.ports = {name: free_port() for name in ["unfiltered", *self._listeners]}
        self._accounts = accounts or {}
        self._hosts = hosts or {}
        self._files = files or {}
        self._syslog = Syslog(directory / "log", directory / "mail.log")
        self._master: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port of the listener with the filter."""
        return self.ports["inbound"]

    def start(self) -> None:
        """Write the configuration, start, and return when it says its banner."""
        self._require()
        self._write()
        self._syslog.start()
        self._master = Process(self._enclosed(PROGRAM, "-C", self._cf, "-bD"), self.directory / "sendmail.out")
        try:
            self._master.start(lambda: _greets(self.ports["unfiltered"]))
        except (RuntimeError, TimeoutError) as error:
            self._syslog.stop()
            raise RuntimeError(f"{error}\n{self.log()}") from error

    def stop(self) -> None:
        """End it and all open sessions.  Raises RuntimeError when a process of it had to be killed."""
        if self._master is not None:
            for pid in self._master.children():
                with suppress(ProcessLookupError):  # it ended a moment ago
                    os.kill(pid, signal.SIGTERM)
            self._master.stop()
        self._master = None
        self._syslog.stop()

    def pids(self) -> list[int]:
        """Its living processes."""
        return [] if self._master is None else self._master.pids()

    def sendmail(self, *arguments: str, stdin: bytes = b"", cf: str = "sendmail.cf") -> str:
        """Run sendmail(8) as a program of the host would, and return its output.

        cf="submit.cf" takes the configuration of the submission program, as is usual.  Raises RuntimeError with what
        it said.
        """
        return self._run(self.command(cf, *arguments), stdin)

    def command(self, cf: str, *arguments: str) -> list[str]:
        """The command line for sendmail(8) as a program of the host would run it."""
        if self._master is None:
            raise RuntimeError("Sendmail does not run")
        enter = ["nsenter", "--target", str(self._master.pid), "--mount", "--uts"]
        return [*enter, str(PROGRAM), "-C", str(self.config / cf), *arguments]

    def queue(self) -> list[dict[str, str]]:
        """The messages in the queues: queue_name (hold for those that a filter quarantined) and queue_id."""
        found = []
        for folder in ("queue", "client-queue"):
            for path in sorted((self.directory / folder).glob("[qh]f*")):
                found.append({"queue_name": "hold" if path.name[0] == "h" else folder, "queue_id": path.name[2:]})
        return found

    def forget(self) -> None:
        """Empty the queues."""
        for folder in ("queue", "client-queue"):
            for path in (self.directory / folder).iterdir():
                path.unlink(missing_ok=True)

    def log(self) -> str:
        """The log so far."""
        return self._syslog.text()

    def wait_for_log(self, pattern: str, seconds: float = wait.AMPLE) -> re.Match[str]:
        """The first place in the log that matches the regular expression.  Raises TimeoutError with the log."""
        found = wait.until(lambda: re.search(pattern, self.log()), lambda: f"{pattern!r} in:\n{self.log()}", seconds)
        assert found is not None
        return found

    @property
    def _cf(self) -> Path:
        return self.config / "sendmail.cf"

    def _require(self) -> None:
        if os.geteuid() != 0:
            raise RuntimeError("Sendmail needs root: run the tests as root or through sudo")
        if not PROGRAM.exists():
            raise RuntimeError("Sendmail is not there: run tests/rig/install")

    def _enclosed(self, *command: str | Path) -> list[str]:
        shown = [self.directory, PROGRAM, *self._files.values()]
        if self._milter.startswith("unix:"):
            shown.append(Path(self._milter.removeprefix("unix:")))
        names = ("hosts", "nsswitch.conf")
        files = {f"/etc/{name}": self.config / name for name in names} | {"/dev/log": self._syslog.path}
        return enclosed(command, host=HOST, files={**files, **self._files}, shown=shown)

    def _run(self, command: list[str], stdin: bytes = b"") -> str:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise RuntimeError(f"{command} ended with {done.returncode}: {said}\n{self.log()}")
        return done.stdout.decode(errors="surrogateescape")

    def _write(self) -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        for folder in ("queue", "client-queue"):
            (self.directory / folder).mkdir(mode=0o700, exist_ok=True)
        shutil.chown(self.directory / "client-queue", SUBMITTER)
        self._write_names()
        for name, table in self._maps.items():
            parted = ": " if name == "aliases" else "\t"
            (self.config / name).write_text("".join(f"{key}{parted}{value}\n" for key, value in table.items()))
        if self._accounts:
            self._write_accounts()
        make_cf(self._cf, self._mc())
        make_cf(self.config / "submit.cf", submit_mc(self.directory, self.ports["inbound"]))
        with self._syslog:
            self._run(self._enclosed(PROGRAM, "-C", self._cf, "-bi"))

    def _mc(self) -> str:
        lines = [
            *([] if not self._milter else [f"FEATURE(`turfmilter', `{_milter_socket(self._milter)}')dnl"]),
            f"FEATURE(`turfmilter-release', `{self.ports['unfiltered']}', `none')dnl",
            *[listener(name, self.ports[name], options) for name, options in self._listeners.items()],
            *tables(self.config, self._maps),
            *(logins(self.config, self.certificate) if self._accounts else []),
            *self._lines,
        ]
        return mta_mc(
            self.directory, host=HOST, sink=self._sink, domains=self._domains, relays=self._relays, lines=lines
        )

    def _write_names(self) -> None:
        # No name server is asked, neither by itself nor by its libraries.
        known = {"127.0.0.1": f"localhost {HOST}", "::1": "localhost", **self._hosts}
        (self.config / "hosts").write_text("".join(f"{address} {names}\n" for address, names in known.items()))
        (self.config / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        (self.config / "service.switch").write_text("hosts files\naliases files\n")

    def _write_accounts(self) -> None:
        make_certificate(self.certificate, HOST)
        database = self.config / "sasldb2"
        (self.config / "sasl").mkdir(exist_ok=True)
        sasl = ("pwcheck_method: auxprop", "auxprop_plugin: sasldb", f"sasldb_path: {database}")
        (self.config / "sasl" / "Sendmail.conf").write_text("\n".join(sasl) + "\n")
        for name, password in self._accounts.items():
            command = ["saslpasswd2", "-p", "-c", "-f", str(database), "-u", HOST, name]
            subprocess.run(command, input=password.encode(), check=True)
        database.chmod(0o600)


def _milter_socket(milter: str) -> str:
    """The socket as Sendmail writes it: local:/path, inet:PORT@HOST."""
    kind, _, where = milter.partition(":")
    if kind == "unix":
        return f"local:{where}"
    host, _, port = where.rpartition(":")
    return f"inet:{port}@{host}"


def _greets(port: int) -> bool:
    try:
        with SmtpClient(port, timeout=1) as client:
            return client.banner.code == 220
    except OSError:
        return False
