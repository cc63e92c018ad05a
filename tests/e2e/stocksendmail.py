"""Sendmail as Debian installs it: its own sendmail.mc, built and started below /etc/mail, on port 25."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from rig import wait
from rig.sendmailcf import CF, PROGRAM
from rig.server import Program
from rig.smtp import greets

_MAIL = Path("/etc/mail")
# What a site adds: here, all mail goes to the SMTP server at a port, and a busy machine accepts mail like an idle one.
_SITE = """\
Mlocal, P=[IPC], F=lmADFMuXa5@, S=EnvFromSMTP/HdrFromSMTP, R=EnvToL/HdrToL, E=\\r\\n, L=0,
	T=DNS/RFC822/SMTP, A=TCP [127.0.0.1] {sink}
LOCAL_CONFIG
O QueueLA=10000
O RefuseLA=10000
O DelayLA=10000
O Timeout.ident=0s
"""


class StockSendmail(Program):
    """Inside a machine of the test's own, where /usr/share can be added to: for `domain`, delivering to port `sink`."""

    def __init__(self, place: Path, host: str, domain: str, sink: int) -> None:
        # systemd's name for the host is the kernel's; ours is the test's.
        enter = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host]
        super().__init__([*enter, PROGRAM, "-bD"], place / "sendmail.out", lambda: greets(25))
        self._domain = domain
        self._sink = sink

    def prepare(self) -> None:
        """Install it, unless it is; its configuration stays what it is."""
        if not _MAIL.exists():
            self._install()

    def stop(self, seconds: float = wait.AMPLE) -> int:
        """End it and all open sessions; its exit status."""
        for pid in self.process.children():
            with suppress(ProcessLookupError):  # it ended a moment ago
                os.kill(pid, signal.SIGTERM)
        return super().stop(seconds)

    def restart(self) -> None:
        """Stop it, and start it with sendmail.cf as it is now."""
        self.stop()
        self.start()

    def _install(self) -> None:
        shutil.rmtree("/etc/postfix", ignore_errors=True)  # another machine's
        shutil.copytree(CF, "/usr/share/sendmail/cf")
        (_MAIL / "m4").mkdir(parents=True)
        for name in ("m4/dialup.m4", "m4/provider.m4", "access", "aliases", "relay-domains", "trusted-users"):
            (_MAIL / name).touch()
        (_MAIL / "local-host-names").write_text(f"localhost\n{self._domain}\n")
        for directory in ("/var/spool/mqueue", "/var/run/sendmail/mta", "/var/lib/sendmail/host_status"):
            Path(directory).mkdir(parents=True)
        (_MAIL / "service.switch").write_text("hosts files\naliases files\n")
        Path("/etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        mc = (CF / "debian/sendmail.mc").read_text()
        (_MAIL / "sendmail.mc").write_text(mc + _SITE.format(sink=self._sink))
        for name in ("smmta", "smmsp"):
            subprocess.run(["useradd", "--system", "--no-create-home", name], check=True)
        with (_MAIL / "sendmail.cf").open("w") as cf:
            subprocess.run(["m4", _MAIL / "sendmail.mc"], stdout=cf, check=True)
        subprocess.run([PROGRAM.with_name("makemap"), "hash", _MAIL / "access"], input=b"", check=True)
        subprocess.run([PROGRAM, "-bi"], stdout=subprocess.DEVNULL, check=True)
