"""Everything that cases need: the MTAs side by side, DNS, and one filter at a time, which all of them ask."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import ExitStack, suppress
from pathlib import Path

from caserunner import mailhost
from caserunner.fake import FakeMta
from caserunner.mailhost import Mta
from caserunner.networked import Networked
from caserunner.postfixmta import PostfixMta
from caserunner.sendmailmta import SendmailMta
from e2e.attached import AttachedFilter
from rig import proc, wait
from rig.certificate import make_certificate
from rig.dnsserver import Conduct, DnsServer
from rig.server import Server


class Stage(Server):
    """All of it below `directory`.  MTAs start when they are first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._milter = f"unix:{directory}/filter/turfmilter.sock"
        self.client_certificate = directory / "client.pem"
        self.dns = DnsServer(mailhost.ZONE)
        self.dns.tell(Conduct.SERVFAIL, "15.100.51.198.in-addr.arpa", "PTR")
        self._settings: str | None = None
        self._mtas: dict[str, Mta] = {}
        self._running = ExitStack()
        self.filter: AttachedFilter

    def start(self) -> None:
        """Start DNS; the rest starts when it is first needed."""
        with ExitStack() as running:
            make_certificate(self.client_certificate, "client.out.test")
            running.enter_context(self.dns)
            running.callback(self._end_filter)
            self._running = running.pop_all()

    def stop(self) -> None:
        """End all of it."""
        self._running.close()

    def mta(self, name: str) -> Mta:
        """One of caserunner.case.MTAS, started."""
        if name not in self._mtas:
            mta = self._new_mta(name)
            mta.start()
            self._running.callback(mta.stop)
            self._mtas[name] = mta
        return self._mtas[name]

    def set_filter(self, settings: str) -> None:
        """Have the filter run with these settings, freshly started only if they are others or it has ended."""
        if settings != self._settings or not self.filter.daemon.process.pids():
            self._end_filter()
            self.filter = AttachedFilter(self._directory / "filter", settings, self.dns, 4.0)
            self.filter.start()
            self._settings = settings
        self.filter.release_all()

    def signal_filter(self, number: signal.Signals) -> None:
        """To the filter and all its workers.  After SIGSTOP none of their threads runs any more."""
        pids = self.filter.daemon.process.pids()
        for pid in pids:
            with suppress(ProcessLookupError):  # a process that looks after the quarantine has ended
                os.kill(pid, number)
        if number is signal.SIGSTOP:  # one thread after the other notices it
            wait.until(lambda: all(proc.each(pids, _is_stopped).values()), "the filter to stop")

    def _new_mta(self, name: str) -> Mta:
        if name == "fake":
            return FakeMta(self._milter.removeprefix("unix:"))
        kind = PostfixMta if name == "postfix" else SendmailMta
        return Networked(kind(self._directory / name, self._milter, self.client_certificate))

    def _end_filter(self) -> None:
        if self._settings is not None:
            self.filter.daemon.kill()
            shutil.rmtree(self._directory / "filter")


def _is_stopped(process: Path) -> bool:
    """True when no thread of the process runs any more (proc_pid_stat(5): the state follows the name)."""
    states = [path.read_text().rpartition(") ")[2][0] for path in process.glob("task/*/stat")]
    return all(state in "TZX" for state in states)
