"""docs/howto/with-a-content-filter.md: a content filter behind Postfix's queue, and turfmilter in front of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.filteredhost import MESSAGE, OTHER, lines, mail_host, release, send, shown
from e2e.stockhost import StockHost, run
from rig import wait
from rig.contentfilter import MARK
from rig.smtp import SmtpClient


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[StockHost]:
    """As the page has it, with another filter of the site's own besides."""
    with mail_host(module_place, shown("main.cf") + f"smtpd_milters = {OTHER}\n", shown("master.cf")) as host:
        yield host


def test_a_message_from_elsewhere_passes_every_filter_once(host: StockHost) -> None:
    send(host, "<once@out.test>", "<anna@rig.test>", source="192.0.2.7")
    (line,) = lines(host, "once@out.test")
    assert "client=192.0.2.7" in line
    (delivery,) = host.sink.deliveries
    assert delivery.recipients == ("anna@rig.test",)
    assert delivery.data.count(MARK) == 1
    results = re.findall(rb"(?m)^Authentication-Results: mx\.rig\.test;.*\r\n(?:[ \t].*\r\n)*", delivery.data)
    assert len(results) == 1
    assert b"192.0.2.7" in results[0], "the result is that of the real client"


def test_a_message_of_a_program_here_passes_every_filter_once(host: StockHost) -> None:
    host.postfix.run("sendmail", "-f", "cron@out.test", "anna@rig.test", stdin=b"Subject: x\n\nx\n")
    wait.until(lambda: host.sink.deliveries, "the message")
    assert len(lines(host, "cron@out.test")) == 1
    (delivery,) = host.sink.deliveries
    assert delivery.data.count(MARK) == 1


def test_the_other_filter_does_not_see_local_mail_only_because_of_ours(host: StockHost) -> None:
    """On the way back it does, as it did before."""
    host.postfix.run("sendmail", "-f", "job@out.test", "anna@rig.test", stdin=b"Subject: x\n\nx\n")
    wait.until(lambda: host.sink.deliveries, "the message")
    assert host.sink.deliveries[0].data.count(b"X-Saw: mail <job@out.test>") == 1
    assert b"X-Saw: mail job@out.test" not in host.sink.deliveries[0].data


def test_what_is_released_passes_all_filters_but_ours_and_arrives_once(host: StockHost) -> None:
    send(host, "<held@turf.test>", "<anna@rig.test>")
    assert len(lines(host, "held@turf.test")) == 1
    assert host.sink.deliveries == []
    assert [reply[:10] for reply in release("held@turf.test")] == ["250 2.0.0 "]
    assert len(lines(host, "held@turf.test")) == 1, "ours has not seen it again"
    (delivery,) = host.sink.deliveries
    assert (delivery.sender, delivery.recipients) == ("held@turf.test", ("anna@rig.test",))
    assert delivery.data.count(MARK) == 1
    # Entering, and coming back from the content filter: as for any other message here.
    assert delivery.data.count(b"X-Saw: mail <held@turf.test>") == 2
    assert b"X-Order: 1\r\n\r\nhello\r\n" not in delivery.data, "what the other filter appends is there"


def test_what_the_other_filter_refuses_then_stays_in_quarantine(host: StockHost) -> None:
    """On its way in it did not see the message: ours comes first."""
    send(host, "<virus@turf.test>", "<anna@rig.test>", message=b"reject: me\r\n" + MESSAGE)
    (held,) = json.loads(run("turfctl", "quarantine", "list", "--json", "--sender", "virus@turf.test"))
    command = ["turfctl", "quarantine", "release", "--yes", held["id"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "550 5.7.1 Command rejected" in done.stdout + done.stderr
    assert json.loads(run("turfctl", "quarantine", "list", "--json", "--sender", "virus@turf.test"))
    assert len(lines(host, "virus@turf.test")) == 1
    assert host.sink.deliveries == []


def test_the_original_client_may_be_passed_on(host: StockHost) -> None:
    """A stranger to every other service: the recipient is elsewhere."""
    with SmtpClient(10026) as client:
        client.ehlo()
        assert client.xclient(ADDR="192.0.2.7", NAME="mail.turf.test", HELO="helo.turf.test").code == 220
        client.ehlo()
        replies = client.transaction("<x@turf.test>", "<y@elsewhere.test>", message=MESSAGE)
    assert [reply.code for reply in replies] == [250, 250, 250]
    wait.until(lambda: host.sink.deliveries, "the message")
    assert lines(host, "x@turf.test", 0) == []
    data = host.sink.deliveries[0].data
    assert re.search(rb"(?m)^Received: from \S+ \(mail\.turf\.test \[192\.0\.2\.7\]\)", data)
    assert b"X-Saw: connect mail.turf.test 2 ('192.0.2.7'" in data


def test_a_client_without_a_name_may_be_passed_on_as_well(host: StockHost) -> None:
    with SmtpClient(10026) as client:
        client.ehlo()
        assert client.xclient(ADDR="IPV6:2001:db8::7", NAME="[TEMPUNAVAIL]").code == 220
        client.ehlo()
        replies = client.transaction("<z@turf.test>", "<y@elsewhere.test>", message=MESSAGE)
    assert [reply.code for reply in replies] == [250, 250, 250]
    assert lines(host, "z@turf.test", 0) == []


def test_no_other_client_may_use_xclient(host: StockHost) -> None:
    with host.client("inbound") as client:
        assert client.xclient(ADDR="192.0.2.7").code == 550
