"""The files below contrib/, word for word, on a machine with Debian's own Postfix, which runs in a chroot."""

from __future__ import annotations

import json
import re
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.stockhost import CONTRIB, SOCKET, StockHost, run, stock_host
from rig import wait
from rig.smtp import SmtpClient

MESSAGE = b"From: anna@turf.test\r\nTo: bare\r\nSubject: =?odd\r\nDate: yesterday\r\n\r\nhello\r\n"
CONFIG = f"""\
socket = "unix:{SOCKET}"
user = "turfmilter"
socket_group = "postfix"
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


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[StockHost]:
    """The filter attached, with the services for submission."""
    with stock_host(module_place, CONFIG) as host:
        run(CONTRIB / "postfix/attach", "--submission", "--yes")
        run("postfix", "reload")
        wait.until(lambda: all(map(_listens, (587, 465, 10026))), "the services that were added")
        yield host


def _listens(port: int) -> bool:
    try:
        with SmtpClient(port, timeout=1) as client:
            return client.banner.code == 220
    except TimeoutError:
        return port == 465  # it waits for our TLS
    except OSError:
        return False


def test_inbound_mail_is_filtered(host: StockHost) -> None:
    with host.client("inbound") as client:
        replies = client.transaction("<spam@turf.test>", "<anna@rig.test>", message=MESSAGE)
    assert [reply.code for reply in replies] == [250, 250, 250]
    assert "rule=turf" in host.logged("sender=spam@turf.test .*verdict=hold")
    assert host.sink.deliveries == []


def test_mail_of_local_programs_is_filtered(host: StockHost) -> None:
    host.postfix.run("sendmail", "-f", "cron@turf.test", "anna@rig.test", stdin=b"Subject: x\n\nx\n")
    host.logged("sender=cron@turf.test .*verdict=hold")


def test_submission_needs_tls_and_a_login_and_has_rules_of_its_own(host: StockHost) -> None:
    with host.client("submission") as client:
        assert str(client.mail("<anna@rig.test>")) == "530 5.7.0 Must issue a STARTTLS command first"
    with host.client("submission") as client:
        assert client.starttls(host.postfix.certificate).code == 220
        client.ehlo()
        client.mail("<anna@rig.test>")
        assert client.rcpt("<x@elsewhere.test>").code == 554
        client.command("RSET")
        assert client.auth("anna", "secret").code == 235
        told = client.transaction("<anna@rig.test>", "<x@elsewhere.test>", "<y@elsewhere.test>", message=MESSAGE)
    assert [reply.code for reply in told] == [250, 250, 452, 250]
    assert "account=anna listener=submission " in host.logged("rcpt=x@elsewhere.test")


def test_submissions_is_the_same_inside_tls_from_the_first_byte(host: StockHost) -> None:
    trusting = ssl.create_default_context(cafile=str(host.postfix.certificate))
    trusting.check_hostname = False  # we connect to an address
    with smtplib.SMTP_SSL("127.0.0.1", host.postfix.ports["submissions"], context=trusting) as client:
        client.login("anna", "secret")
        assert client.sendmail("anna@rig.test", ["z@elsewhere.test"], MESSAGE) == {}
    assert "account=anna listener=submission " in host.logged("rcpt=z@elsewhere.test")


def test_no_client_relays_through_the_service_for_inbound_mail(host: StockHost) -> None:
    with host.client("inbound") as client:
        client.mail("<a@out.test>")
        assert client.rcpt("<x@elsewhere.test>").code == 454


def test_a_released_message_passes_unfiltered_and_unchanged(host: StockHost) -> None:
    said = host.filter.log()
    with SmtpClient(host.postfix.ports["release"]) as client:
        client.ehlo()
        told = client.transaction("<spam@turf.test>", "<info@rig.test>", message=MESSAGE)
    assert [reply.code for reply in told] == [250, 250, 250]
    (delivery,) = wait.until(lambda: host.sink.deliveries, "the released message")
    assert delivery.recipients == ("anna@rig.test",)  # aliases count
    received, _, rest = delivery.data.partition(b"From: ")
    assert b"From: " + rest == MESSAGE
    assert received.count(b"Received: ") == 1
    assert host.filter.log() == said


def test_what_turfctl_releases_is_not_caught_again(host: StockHost) -> None:
    """With nothing about [release] in the configuration."""
    with host.client("inbound") as client:
        client.transaction("<once@turf.test>", "<anna@rig.test>", "<ben@rig.test>", message=MESSAGE)
    (held,) = json.loads(run("turfctl", "quarantine", "list", "--json", "--sender", "once@turf.test"))
    host.logged("sender=once@turf.test .*verdict=hold")
    said = host.filter.log()
    done = json.loads(run("turfctl", "quarantine", "release", "--yes", "--json", held["id"]))
    assert {one["recipient"]: one["reply"][:10] for one in done} == dict.fromkeys(held["recipients"], "250 2.0.0 ")
    host.postfix.settle()
    assert sorted(to for one in host.sink.deliveries for to in one.recipients) == ["anna@rig.test", "ben@rig.test"]
    assert {one.sender for one in host.sink.deliveries} == {"once@turf.test"}
    assert {one.data.partition(b"From: ")[2] for one in host.sink.deliveries} == {MESSAGE.removeprefix(b"From: ")}
    assert host.filter.log() == said
    assert run("turfctl", "quarantine", "verify") == ""


@pytest.mark.parametrize(
    ("socket", "said"),
    [
        (f"unix:{SOCKET}", ""),
        ("inet:8895@127.0.0.1", ""),
        (
            "unix:/run/turfmilter/s",
            "/etc/postfix/master.cf runs smtpd in the chroot /var/spool/postfix, where this path",
        ),
        ("unix:/var/spool/postfix/closed/s", 'Postfix\'s user "postfix" cannot enter /var/spool/postfix/closed; '),
    ],
)
@pytest.mark.parametrize("given", ["in the configuration", "on the command line"])
def test_it_is_reported_that_postfix_could_not_reach_the_socket(
    host: StockHost, socket: str, said: str, given: str
) -> None:
    Path("/var/spool/postfix/closed").mkdir(mode=0o700, exist_ok=True)
    path = host.place / "other.toml"
    options = ["-s", socket] if given == "on the command line" else []
    path.write_text(CONFIG if options else CONFIG.replace(f"unix:{SOCKET}", socket))
    done = subprocess.run(["turfmilter", "-t", "-c", path, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    warned = [line for line in done.stderr.splitlines() if line.startswith(f"turfmilter: warning: {socket}: ")]
    assert len(warned) == bool(said)
    assert all(line.startswith(f"turfmilter: warning: {socket}: {said}") for line in warned)


def test_the_release_service_is_on_loopback_alone() -> None:
    assert re.findall(r"(?m)^(\S*10026)\s", (CONTRIB / "postfix/master.cf").read_text()) == ["127.0.0.1:10026"]
