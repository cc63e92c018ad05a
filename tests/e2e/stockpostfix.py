"""Postfix as Debian installs it: its own main.cf and master.cf, every service in a chroot, on ports 25 and so on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from rig.certificate import make_certificate
from rig.mailserver import HOST, write_accounts
from rig.postfix import Postfix

_STOCK = Path("/usr/share/postfix")
_MAIN = """
myhostname = {host}
mydestination = {domain}
mynetworks = 127.0.0.1
local_recipient_maps =
alias_maps =
virtual_alias_maps = inline:{{{{ info@{domain} = anna@{domain} }}}}
local_transport = smtp:[127.0.0.1]:{sink}
default_transport = smtp:[127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtpd_peername_lookup = {names}
smtpd_tls_security_level = may
smtpd_tls_chain_files = {certificate}
maillog_file = {log}
maillog_file_prefixes = {prefix}
"""
_SASL = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /etc/sasldb2\nmech_list: PLAIN LOGIN\n"


class StockPostfix(Postfix):
    """At /etc/postfix, inside a machine of the test's own: see rig.machine.

    For `domain`, delivering to the SMTP server at loopback port `sink`; `accounts` may log in where a service asks.
    `names` is whether it looks up the names of clients, which it finds in /etc/hosts.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sink: int,
        accounts: dict[str, str],
        host: str = HOST,
        domain: str = "rig.test",
        names: bool = False,
    ) -> None:
        super().__init__(directory, sink=sink, config=Path("/etc/postfix"))
        self.ports = {"inbound": 25, "unfiltered": 25, "submission": 587, "submissions": 465, "release": 10026}
        self.spool = Path("/var/spool/postfix")
        self._sink = sink
        self._users = accounts
        self._host = host
        self._own = {"host": host, "domain": domain, "names": "yes" if names else "no"}

    def write(self, name: str, text: str) -> None:
        """Replace a file below /etc/postfix; it is used after a reload."""
        self._file(name, text)

    def set_parameters(self, *settings: str) -> None:
        """ "parameter = value": lines of main.cf, replaced where they are, as Debian's package sets them.

        A parameter that is set twice is a warning of each process at each start.  More of them than the socket of
        postlogd can hold, and Postfix 3.10 hangs in a reload.
        """
        self.run("postconf", "-e", *settings)
        os.utime(self.config / "main.cf", (0, 0))

    def set_service(self, setting: str) -> None:
        """ "service/type/parameter=value": one of its lines in master.cf."""
        self.run("postconf", "-P", setting)
        os.utime(self.config / "master.cf", (0, 0))

    def _write(self) -> None:
        for directory in ("/var/spool/postfix/etc", "/var/lib/postfix", "/var/log"):
            Path(directory).mkdir(parents=True, exist_ok=True)
        shutil.chown("/var/lib/postfix", "postfix")
        self.log_file.touch()
        make_certificate(self.certificate, self._host)
        own = _MAIN.format(
            sink=self._sink,
            certificate=self.certificate,
            log=self.log_file,
            prefix=self.directory,
            **self._own,
        )
        self._file("main.cf", (_STOCK / "main.cf.debian").read_text())
        self.set_parameters(*filter(None, own.splitlines()))
        self._file("master.cf", (_STOCK / "master.cf.dist").read_text())
        self._file("sasl/smtpd.conf", _SASL)
        # smtpd opens it when it is in the chroot already.
        database = Path("/var/spool/postfix/etc/sasldb2")
        write_accounts(database, self._users, self._host)
        shutil.chown(database, "postfix")
        # The files that a chroot needs.  On Debian 13 `postfix check` copies them, on 12 Postfix's unit does.
        if self.version < (3, 9):
            subprocess.run(["/usr/lib/postfix/configure-instance.sh", "-"], check=True)
