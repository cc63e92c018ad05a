"""A private Postfix: own configuration, queue, data, log and ports; nothing outside its directory is touched."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rig import wait
from rig.certificate import make_certificate
from rig.ports import free_port
from rig.process import Process
from rig.smtp import SmtpClient

_HOST = "mx.rig.test"
_SERVICES = """\
pickup     unix n - n 60    1   pickup
cleanup    unix n - n -     0   cleanup
qmgr       unix n - n 300   1   qmgr
tlsmgr     unix - - n 1000? 1   tlsmgr
rewrite    unix - - n -     -   trivial-rewrite
bounce     unix - - n -     0   bounce
defer      unix - - n -     0   bounce
trace      unix - - n -     0   bounce
verify     unix - - n -     1   verify
flush      unix n - n 1000? 0   flush
proxymap   unix - - n -     -   proxymap
proxywrite unix - - n -     1   proxymap
smtp       unix - - n -     -   smtp
relay      unix - - n -     -   smtp
showq      unix n - n -     -   showq
error      unix - - n -     -   error
retry      unix - - n -     -   error
discard    unix - - n -     -   discard
local      unix - n n -     -   local
virtual    unix - n n -     -   virtual
anvil      unix - - n -     1   anvil
scache     unix - - n -     1   scache
postlog    unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix below `directory`, which is made if need be.  Needs root, and Debian's package.

    All mail that it takes goes to the SMTP server at the loopback port `sink`.  `domains` are its own, so that it
    resolves what hides in `x%there@ours`; every client is trusted, so that the filter alone decides.
    `milter` is the socket as smtpd_milters writes it ("unix:/path", "inet:127.0.0.1:PORT"); "" is none.
    `parameters` go to main.cf and win over what stands there; `maps` are tables by the parameter that names them:
    {"virtual_alias_maps": {"info@rig.test": "x@elsewhere.test"}}.
    `listeners` are further SMTP listeners by name, with their own parameters: {"submission": {"smtpd_milters": ""}}.
    `places` are address and port of listeners; where none is given, it is a free port of 127.0.0.1.
    `ports` holds the port of each: "inbound", "unfiltered" and those.
    Where there are `accounts` (name and password) clients may log in, and start TLS with the server's `certificate`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sink: int,
        milter: str = "",
        domains: Iterable[str] = ("rig.test",),
        parameters: Mapping[str, str] | None = None,
        maps: Mapping[str, Mapping[str, str]] | None = None,
        listeners: Mapping[str, Mapping[str, str]] | None = None,
        accounts: Mapping[str, str] | None = None,
        places: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        self.directory = directory
        self.config = directory / "etc"
        self.certificate = self.config / "certificate.pem"
        self.log_file = directory / "mail.log"
        self._listeners = {"inbound": {}, "unfiltered": {"smtpd_milters": ""}, **(listeners or {})}
        self._places = {name: ("127.0.0.1", free_port()) for name in self._listeners} | dict(places or {})
        self.ports = {name: port for name, (_, port) in self._places.items()}
        self._accounts = accounts or {}
        self._parameters = {
            **self._defaults(sink, milter, domains),
            **self._tables(maps or {}),
            **(self._logins() if accounts else {}),
            **(parameters or {}),
        }
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
        self.run("postfix", "check")
        daemons = Path(self.run("postconf", "-h", "daemon_directory").strip())
        # -s stays in the foreground, so that it is our child and ends with us.
        self._master = Process([daemons / "master", "-c", self.config, "-s"], self.directory / "master.out")
        try:
            self._master.start(self._ready)
        except (RuntimeError, TimeoutError) as error:
            raise RuntimeError(f"{error}\n{self.log()}") from error

    def stop(self) -> None:
        """End it.  Raises RuntimeError when a process of it had to be killed."""
        if self._master is not None:
            self._master.stop()
        self._master = None

    def pids(self) -> list[int]:
        """Its living processes."""
        return [] if self._master is None else self._master.pids()

    def run(self, program: str, *arguments: str, stdin: bytes = b"") -> str:
        """Run one of Postfix's programs for this instance and return its output.

        run("postsuper", "-d", "ALL"), run("sendmail", "-t", stdin=message).  Raises RuntimeError with what it said.
        """
        option = "-C" if program == "sendmail" else "-c"
        done = subprocess.run([program, option, self.config, *arguments], input=stdin, capture_output=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise RuntimeError(f"{program} {' '.join(arguments)} ended with {done.returncode}: {said}\n{self.log()}")
        return done.stdout.decode(errors="surrogateescape")

    def queue(self) -> list[dict[str, Any]]:
        """The messages in the queue, as postqueue(1) -j tells of them: queue_name (hold, deferred, …), queue_id, …"""
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def log(self) -> str:
        """The log so far."""
        return self.log_file.read_text(errors="surrogateescape") if self.log_file.exists() else ""

    def wait_for_log(self, pattern: str, seconds: float = wait.AMPLE) -> re.Match[str]:
        """The first place in the log that matches the regular expression.  Raises TimeoutError with the log."""
        found = wait.until(lambda: re.search(pattern, self.log()), lambda: f"{pattern!r} in:\n{self.log()}", seconds)
        assert found is not None
        return found

    def _ready(self) -> bool:
        if "fatal:" in self.log():
            raise RuntimeError("a part of Postfix does not start")
        return _greets(self.ports["unfiltered"])

    def _require(self) -> None:
        if os.geteuid() != 0:
            raise RuntimeError("Postfix needs root: run the tests as root or through sudo")
        try:
            owner = pwd.getpwnam("postfix")
        except KeyError:
            raise RuntimeError("Postfix is not installed: run tests/rig/install") from None
        enter = ["setpriv", "--reuid", str(owner.pw_uid), "--clear-groups", "test", "-x", str(self.directory)]
        if subprocess.run(enter, check=False).returncode:
            raise RuntimeError(f"user postfix may not enter {self.directory}: use the fixture `place`")

    def _defaults(self, sink: int, milter: str, domains: Iterable[str]) -> dict[str, str]:
        to_sink = f"[127.0.0.1]:{sink}"
        return {
            "compatibility_level": "3.6",
            "queue_directory": f"{self.directory}/queue",
            "data_directory": f"{self.directory}/data",
            "maillog_file": str(self.log_file),
            "maillog_file_prefixes": str(self.directory),
            "inet_interfaces": "loopback-only",
            "myhostname": _HOST,
            "myorigin": "rig.test",
            "mydestination": ", ".join(domains),
            "mynetworks": "0.0.0.0/0, [::]/0",
            "local_recipient_maps": "",
            "alias_maps": "",
            "alias_database": "",
            "local_transport": f"smtp:{to_sink}",
            "default_transport": f"smtp:{to_sink}",
            "relay_transport": f"relay:{to_sink}",
            "virtual_transport": f"smtp:{to_sink}",
            # Nothing may leave loopback, DNS included.
            "smtpd_peername_lookup": "no",
            "smtp_dns_support_level": "disabled",
            "smtputf8_enable": "yes",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8, [::1]",
            "smtpd_client_connection_rate_limit": "0",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_milters": milter,
            "non_smtpd_milters": milter,
        }

    def _file(self, name: str, text: str) -> None:
        path = self.config / name
        path.write_text(text)
        # Postfix reads a file again and again until it is two seconds old, lest somebody is still writing it.
        os.utime(path, (0, 0))

    def _tables(self, maps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        self.config.mkdir(parents=True)
        for name, table in maps.items():
            self._file(name, "".join(f"{key} {value}\n" for key, value in table.items()))
        return {name: f"texthash:{self.config / name}" for name in maps}

    def _logins(self) -> dict[str, str]:
        return {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_auth_only": "yes",
            "smtpd_tls_chain_files": str(self.certificate),
        }

    def _write_accounts(self) -> None:
        make_certificate(self.certificate, _HOST)
        database = self.config / "sasldb2"
        # Debian's smtpd looks for it here only, whatever cyrus_sasl_config_path says.
        (self.config / "sasl").mkdir(exist_ok=True)
        sasl = ("pwcheck_method: auxprop", "auxprop_plugin: sasldb", f"sasldb_path: {database}")
        (self.config / "sasl" / "smtpd.conf").write_text("\n".join([*sasl, "mech_list: PLAIN LOGIN ANONYMOUS", ""]))
        for name, password in self._accounts.items():
            # A name that is typed without a realm is in that of the server's name.
            command = ["saslpasswd2", "-p", "-c", "-f", str(database), "-u", _HOST, name]
            subprocess.run(command, input=password.encode(), check=True)
        shutil.chown(database, "postfix")

    def _write(self) -> None:
        self.log_file.touch()
        (self.directory / "queue").mkdir(exist_ok=True)
        (self.directory / "data").mkdir(mode=0o700, exist_ok=True)
        shutil.chown(self.directory / "data", "postfix")
        main = "".join(f"{name} = {value}\n" for name, value in self._parameters.items())
        self._file("main.cf", main)
        listeners = "".join(self._listener(name, own) for name, own in self._listeners.items())
        self._file("master.cf", listeners + _SERVICES)
        if self._accounts:
            self._write_accounts()

    def _listener(self, name: str, parameters: Mapping[str, str]) -> str:
        options = "".join(f"  -o {{ {option} = {value} }}\n" for option, value in parameters.items())
        address, port = self._places[name]
        return f"[{address}]:{port} inet n - n - - smtpd\n{options}"


def _greets(port: int) -> bool:
    try:
        with SmtpClient(port, timeout=1) as client:
            return client.banner.code == 220
    except OSError:
        return False
