"""A private Sendmail: own configuration, queues, log, ports and namespaces; it runs from where it was unpacked."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from rig import wait
from rig.certificate import make_certificate
from rig.enclosure import enclosed
from rig.mailserver import HOST, MailServer, require_root, write_accounts
from rig.ports import free_port
from rig.sendmailcf import PROGRAM, SUBMITTER, listener, logins, make_cf, mta_mc, submit_mc, tables, version
from rig.syslog import Syslog

_QUEUES = ("queue", "client-queue")


class Sendmail(MailServer):
    """A Sendmail below `directory`, which is made if need be.  Needs root, and what tests/rig/install has unpacked.

    All mail that it accepts goes to the SMTP server at the loopback port `sink`.  `domains` are its own, so that it
    resolves what hides in `x%there@ours`; every client is trusted, so that the filter alone decides, unless `relays`
    names the clients (192.0.2) and domains that it relays for.  Local users lose their domain, as Sendmail has it.
    `milter` is the socket as smtpd_milters writes it ("unix:/path", "inet:127.0.0.1:PORT"); "" is none.  It is attached
    with the feature that contrib ships.  `lines` of m4 are in sendmail.mc, above the mailers.
    `maps` are tables by the feature that reads them (virtusertable, mailertable), and "aliases".
    `listeners` are further SMTP listeners by name, which is their Name=, with their own DaemonPortOptions:
    {"submission": "M=Ea"}; "InputMailFilters=" removes the filter.
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
        self._sink = sink
        self._milter = milter
        self._domains = tuple(domains)
        self._relays = None if relays is None else tuple(relays)
        self._lines = tuple(lines)
        # Without an alias file that it can open, it queues all local mail.
        self._maps = {"aliases": {}, **(maps or {})}
        self._listeners = {"inbound": "", **(listeners or {})}
        self._accounts = accounts or {}
        self._hosts = hosts or {}
        self._syslog = Syslog(directory / "log", directory / "mail.log")
        config = directory / "etc"
        names = {f"/etc/{name}": config / name for name in ("hosts", "nsswitch.conf")}
        self._files = {**names, "/dev/log": self._syslog.path, **(files or {})}
        socket = [Path(milter.removeprefix("unix:"))] if milter.startswith("unix:") else []
        self._shown = [directory, PROGRAM, *(files or {}).values(), *socket]
        ports = {name: free_port() for name in ["unfiltered", *self._listeners]}
        command = self._enclosed(PROGRAM, "-C", config / "sendmail.cf", "-bD")
        super().__init__(directory, config, ports, command, self._syslog.output)

    @property
    def version(self) -> tuple[int, int]:
        """Such as (8, 17)."""
        return version()

    def prepare(self) -> None:
        """Write its configuration, and listen to its log."""
        self._require()
        self._write()
        self._syslog.start()

    def stop(self, seconds: float = wait.AMPLE) -> int:
        """End it and all open sessions, which would otherwise continue without it."""
        for pid in self.process.children():
            with suppress(ProcessLookupError):  # it ended a moment ago
                os.kill(pid, signal.SIGTERM)
        return super().stop(seconds)

    def clean_up(self) -> None:
        """Stop listening to its log."""
        self._syslog.stop()

    def sendmail(self, *arguments: str, stdin: bytes = b"", cf: str = "sendmail.cf") -> str:
        """Run sendmail(8) as a program of the host would, and return its output.

        cf="submit.cf" is the configuration of the submission program, as is usual.  Raises RuntimeError with what
        it printed.
        """
        return self._run(self.command(cf, *arguments), stdin)

    def command(self, cf: str, *arguments: str) -> list[str]:
        """The command line for sendmail(8) as a program of the host would run it."""
        if not self.process.pid:
            raise RuntimeError("Sendmail does not run")
        enter = ["nsenter", "--target", str(self.process.pid), "--mount", "--uts"]
        return [*enter, str(PROGRAM), "-C", str(self.config / cf), *arguments]

    def queue(self) -> list[dict[str, str]]:
        """The messages in the queues: queue_name (hold for those that a filter quarantined) and queue_id."""
        return [
            {"queue_name": "hold" if path.name[0] == "h" else path.parent.name, "queue_id": path.name[2:]}
            for path in self.queued()
        ]

    def queued(self) -> list[Path]:
        """The control files of the messages in the queues."""
        return [path for folder in _QUEUES for path in sorted((self.directory / folder).glob("[qh]f*"))]

    def forget(self) -> None:
        """Empty the queues."""
        for folder in _QUEUES:
            for path in (self.directory / folder).iterdir():
                path.unlink(missing_ok=True)

    def _require(self) -> None:
        require_root("Sendmail")
        if not PROGRAM.exists():
            raise RuntimeError("Sendmail is not installed: run tests/rig/install")

    def _enclosed(self, *command: str | Path) -> list[str]:
        return enclosed(command, host=HOST, files=self._files, shown=self._shown)

    def _write(self) -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        for folder in _QUEUES:
            (self.directory / folder).mkdir(mode=0o700, exist_ok=True)
        shutil.chown(self.directory / "client-queue", SUBMITTER)
        self._write_names()
        for name, table in self._maps.items():
            parted = ": " if name == "aliases" else "\t"
            (self.config / name).write_text("".join(f"{key}{parted}{value}\n" for key, value in table.items()))
        if self._accounts:
            self._write_accounts()
        cf = self.config / "sendmail.cf"
        make_cf(cf, self._mc())
        make_cf(self.config / "submit.cf", submit_mc(self.directory, self.ports["inbound"]))
        with self._syslog:
            self._run(self._enclosed(PROGRAM, "-C", cf, "-bi"))

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
        write_accounts(database, self._accounts)
        database.chmod(0o600)


def _milter_socket(milter: str) -> str:
    """The socket as Sendmail writes it: local:/path, inet:PORT@HOST."""
    kind, _, where = milter.partition(":")
    if kind == "unix":
        return f"local:{where}"
    host, _, port = where.rpartition(":")
    return f"inet:{port}@{host}"
