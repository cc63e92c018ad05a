"""A private Postfix: own configuration, queue, data, log and ports; nothing outside its directory is touched."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rig.certificate import make_certificate
from rig.mailserver import HOST, MailServer, require_root, write_accounts
from rig.ports import free_port

_MASTER = Path("/usr/lib/postfix/sbin/master")
_QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")  # in the order of a message's way
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


def default(parameter: str) -> str:
    """The default of a parameter of the Postfix that is installed."""
    done = subprocess.run(["postconf", "-d", "-h", parameter], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Postfix(MailServer):
    """A Postfix below `directory`, which is made if need be.  Needs root, and Debian's package.

    All mail that it accepts goes to the SMTP server at the loopback port `sink`.  `domains` are its own, so that it
    resolves what hides in `x%there@ours`; every client is trusted, so that the filter alone decides.
    `milter` is the socket as smtpd_milters writes it ("unix:/path", "inet:127.0.0.1:PORT"); "" is none.
    `parameters` go to main.cf and replace those of the rig; `maps` are tables by the parameter that names them:
    {"virtual_alias_maps": {"info@rig.test": "x@elsewhere.test"}}.
    `listeners` are further SMTP listeners by name, with their own parameters: {"submission": {"smtpd_milters": ""}}.
    `config` is where its configuration is written; by default below `directory`.
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
        config: Path | None = None,
    ) -> None:
        self._listeners = {"inbound": {}, "unfiltered": {"smtpd_milters": ""}, **(listeners or {})}
        self._places = {name: ("127.0.0.1", free_port()) for name in self._listeners} | dict(places or {})
        ports = {name: port for name, (_, port) in self._places.items()}
        config = config or directory / "etc"
        # -s stays in the foreground, so that it is our child and ends with us.
        super().__init__(directory, config, ports, [_MASTER, "-c", config, "-s"], directory / "mail.log")
        self.spool = directory / "queue"
        self._accounts = accounts or {}
        self._maps = maps or {}
        self._parameters = {
            **self._defaults(sink, milter, domains),
            **{name: f"texthash:{config / name}" for name in maps or {}},
            **(self._logins() if accounts else {}),
            **(parameters or {}),
        }

    @property
    def version(self) -> tuple[int, int]:
        """Such as (3, 7)."""
        major, minor, *_ = default("mail_version").split(".")
        return int(major), int(minor)

    def prepare(self) -> None:
        """Write and check its configuration."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config.mkdir(exist_ok=True)
        self._require()
        self._write()
        self.run("postfix", "check")

    def run(self, program: str, *arguments: str, stdin: bytes = b"") -> str:
        """Run one of Postfix's programs for this instance and return its output.

        run("postsuper", "-d", "ALL"), run("sendmail", "-t", stdin=message).  Raises RuntimeError with what it printed.
        """
        option = "-C" if program == "sendmail" else "-c"
        return self._run([program, option, self.config, *arguments], stdin)

    def queue(self) -> list[dict[str, Any]]:
        """The messages in the queue, as postqueue(1) -j lists them: queue_name (hold, deferred, …), queue_id, …"""
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def queued(self) -> list[Path]:
        """The files of the messages in the queue, without those that are not yet complete."""
        files = (path for name in _QUEUES for path in (self.spool / name).rglob("*"))
        return [path for path in files if _is_complete(path)]

    def _serves(self) -> bool:
        if "fatal:" in self.log():
            raise RuntimeError("a part of Postfix does not start")
        return super()._serves()

    def _require(self) -> None:
        require_root("Postfix")
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
            "queue_directory": str(self.spool),
            "data_directory": f"{self.directory}/data",
            "maillog_file": str(self.log_file),
            "maillog_file_prefixes": str(self.directory),
            "inet_interfaces": "loopback-only",
            "myhostname": HOST,
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
            # As contrib/postfix/attach sets it for the filter; the default of Postfix 3.10 is "shutdown".
            "milter_default_action": "tempfail",
            "smtpd_milters": milter,
            "non_smtpd_milters": milter,
        }

    def _file(self, name: str, text: str) -> None:
        path = self.config / name
        path.write_text(text)
        # Postfix reads a file again until it is two seconds old, because it may still be written.
        os.utime(path, (0, 0))

    def _logins(self) -> dict[str, str]:
        return {
            "smtpd_sasl_auth_enable": "yes",
            "cyrus_sasl_config_path": str(self.config / "sasl"),
            "smtpd_tls_security_level": "may",
            "smtpd_tls_auth_only": "yes",
            "smtpd_tls_chain_files": str(self.certificate),
        }

    def _write_accounts(self) -> None:
        make_certificate(self.certificate, HOST)
        database = self.config / "sasldb2"
        # The smtpd of Debian 12 looks for it here only, whatever cyrus_sasl_config_path is.
        (self.config / "sasl").mkdir(exist_ok=True)
        sasl = ("pwcheck_method: auxprop", "auxprop_plugin: sasldb", f"sasldb_path: {database}")
        (self.config / "sasl" / "smtpd.conf").write_text("\n".join([*sasl, "mech_list: PLAIN LOGIN ANONYMOUS", ""]))
        write_accounts(database, self._accounts)
        shutil.chown(database, "postfix")

    def _write(self) -> None:
        self.log_file.touch()
        self.spool.mkdir(exist_ok=True)
        (self.directory / "data").mkdir(mode=0o700, exist_ok=True)
        shutil.chown(self.directory / "data", "postfix")
        for name, table in self._maps.items():
            self._file(name, "".join(f"{key} {value}\n" for key, value in table.items()))
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


def _is_complete(path: Path) -> bool:
    """Postfix sets all bits of the owner when a message is complete (MAIL_QUEUE_STAT_READY), and skips other files."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False  # it was moved or delivered while we looked
    return stat.S_ISREG(mode) and mode & stat.S_IRWXU == stat.S_IRWXU
