"""The files below contrib/, word for word, on a machine with Debian's own Postfix, which runs in a chroot."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.stockpostfix import StockPostfix
from rig import wait
from rig.link import accepts
from rig.machine import own_machine
from rig.process import Process
from rig.sink import Sink
from rig.smtp import SmtpClient
from rig.unit import Unit

CONTRIB = Path(__file__).parents[2] / "contrib"
SOCKET = "/var/spool/postfix/turfmilter/turfmilter.sock"
FILES = [Path("/etc/postfix/main.cf"), Path("/etc/postfix/master.cf")]
MESSAGE = b"From: anna@turf.test\r\nTo: bare\r\nSubject: =?odd\r\nDate: yesterday\r\n\r\nhello\r\n"
CONFIG = f"""\
socket = "unix:{SOCKET}"
user = "turfmilter"
domains = ["rig.test"]
[log]
to = "stderr"
[turf]
tables = ["@turf.test"]
directory = "/var/lib/turfmilter/quarantine"
[relay]
allow = []
authenticated = false
[listener.submission]
daemon = "submission"
require_auth = true
require_tls = true
[listener.submission.relay]
authenticated = true
[listener.submission.limits]
recipients_per_message = 1
"""


def run(*command: str | Path) -> str:
    """What a command says, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def attach(*options: str) -> str:
    return run(CONTRIB / "postfix/attach", *options)


@dataclass
class Host:
    """Postfix, the filter as its unit starts it, and where the mail goes."""

    postfix: StockPostfix
    filter: Process
    sink: Sink

    def client(self, service: str) -> SmtpClient:
        client = SmtpClient(self.postfix.ports[service], source="127.0.0.2")
        client.ehlo()
        return client

    def submission(self) -> SmtpClient:
        client = self.client("submission")
        assert client.starttls(self.postfix.certificate).code == 220
        client.ehlo()
        return client

    def logged(self, pattern: str) -> str:
        return wait.until(
            lambda: re.search(f"(?m)^.*(?:{pattern}).*$", self.filter.text()),
            lambda: f"{pattern!r} in:\n{self.filter.text()}",
        )[0]

    def clear(self) -> None:
        wait.until(lambda: not self.postfix.queue(), "an empty queue")
        self.sink.clear()


@pytest.fixture(scope="module")
def machine(module_place: Path) -> Iterator[Path]:
    """Filter and quarantine installed, and nothing running."""
    with own_machine(module_place):
        run("systemd-sysusers", CONTRIB / "systemd/sysusers.conf")
        run("install", "-d", "/var/spool/postfix", "/var/lib", "/etc/turfmilter")
        run("systemd-tmpfiles", "--create", CONTRIB / "systemd/tmpfiles.conf", CONTRIB / "postfix/tmpfiles.conf")
        Path("/etc/turfmilter/turfmilter.toml").write_text(CONFIG)
        yield module_place


@pytest.fixture(scope="module")
def host(machine: Path) -> Iterator[Host]:
    with ExitStack() as running:
        sink = running.enter_context(Sink())
        postfix = running.enter_context(StockPostfix(machine / "postfix", sink=sink.port, accounts={"anna": "secret"}))
        process = Unit(CONTRIB / "systemd/turfmilter.service").process(machine / "filter.log")
        process.start(lambda: accepts(f"unix:{SOCKET}"))
        running.callback(process.stop)
        attach("--submission", "--yes")
        run("postfix", "reload")
        wait.until(lambda: _listens(587) and _listens(465) and _listens(10026), "the services that were added")
        yield Host(postfix, process, sink)


def _listens(port: int) -> bool:
    try:
        with SmtpClient(port, timeout=1) as client:
            return client.banner.code == 220
    except TimeoutError:
        return port == 465  # it waits for our TLS
    except OSError:
        return False


def test_inbound_mail_is_filtered(host: Host) -> None:
    with host.client("inbound") as client:
        replies = client.transaction("<spam@turf.test>", "<anna@rig.test>", message=MESSAGE)
    assert [reply.code for reply in replies] == [250, 250, 250]
    assert "rule=turf" in host.logged("sender=spam@turf.test .*verdict=hold")
    assert host.sink.deliveries == []


def test_mail_of_local_programs_is_filtered(host: Host) -> None:
    host.postfix.run("sendmail", "-f", "cron@turf.test", "anna@rig.test", stdin=b"Subject: x\n\nx\n")
    host.logged("sender=cron@turf.test .*verdict=hold")


def test_submission_needs_tls_and_a_login_and_has_rules_of_its_own(host: Host) -> None:
    with host.client("submission") as client:
        assert str(client.mail("<anna@rig.test>")) == "530 5.7.0 Must issue a STARTTLS command first"
    with host.submission() as client:
        client.mail("<anna@rig.test>")
        assert client.rcpt("<x@elsewhere.test>").code == 554
        client.command("RSET")
        assert client.auth("anna", "secret").code == 235
        told = client.transaction("<anna@rig.test>", "<x@elsewhere.test>", "<y@elsewhere.test>", message=MESSAGE)
    assert [reply.code for reply in told] == [250, 250, 452, 250]
    assert "account=anna listener=submission " in host.logged("rcpt=x@elsewhere.test")


def test_nobody_relays_through_the_service_for_inbound_mail(host: Host) -> None:
    with host.client("inbound") as client:
        client.mail("<a@out.test>")
        assert client.rcpt("<x@elsewhere.test>").code == 454


def test_a_released_message_passes_unfiltered_and_unchanged(host: Host) -> None:
    said = host.filter.text()
    with SmtpClient(host.postfix.ports["release"]) as client:
        client.ehlo()
        told = client.transaction("<spam@turf.test>", "<info@rig.test>", message=MESSAGE)
    assert [reply.code for reply in told] == [250, 250, 250]
    (delivery,) = wait.until(lambda: host.sink.deliveries, "the released message")
    assert delivery.recipients == ("anna@rig.test",)  # aliases count
    received, _, rest = delivery.data.partition(b"From: ")
    assert b"From: " + rest == MESSAGE
    assert received.count(b"Received: ") == 1
    assert host.filter.text() == said


@pytest.mark.parametrize(
    ("socket", "said"),
    [
        (f"unix:{SOCKET}", ""),
        ("inet:8895@127.0.0.1", ""),
        (
            "unix:/run/turfmilter/s",
            "/etc/postfix/master.cf runs smtpd in the chroot /var/spool/postfix, where there is",
        ),
        (
            "unix:/var/spool/postfix/private/s",
            'Postfix\'s user "postfix" may not write to the socket; set socket_group',
        ),
    ],
)
@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("given", ["in the configuration", "on the command line"])
def test_it_is_said_when_postfix_could_not_reach_the_socket(machine: Path, socket: str, said: str, given: str) -> None:
    path = machine / "other.toml"
    options = ["-s", socket] if given == "on the command line" else []
    path.write_text(CONFIG if options else CONFIG.replace(f"unix:{SOCKET}", socket))
    done = subprocess.run(["turfmilter", "-t", "-c", path, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    warned = [line for line in done.stderr.splitlines() if line.startswith(f"turfmilter: warning: {socket}: ")]
    assert len(warned) == len(done.stderr.splitlines()) == bool(said)
    assert said in done.stderr


def test_the_release_service_is_on_loopback_alone() -> None:
    assert re.findall(r"(?m)^(\S*10026)\s", (CONTRIB / "postfix/master.cf").read_text()) == ["127.0.0.1:10026"]
