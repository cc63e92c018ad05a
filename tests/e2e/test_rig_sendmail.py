"""The private Sendmail, the sink and the SMTP client together, with and without a filter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.link import accepts
from rig.process import Process
from rig.sendmail import Sendmail
from rig.sink import Sink
from rig.smtp import SmtpClient

SCRIPT = Path(__file__).parents[1] / "rig" / "scriptedfilter.py"
MESSAGE = b"Subject: x\r\n\r\n.hello \xff\r\n"


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture(autouse=True)
def empty(sink: Sink) -> None:
    sink.clear()


@pytest.fixture(scope="module")
def scripted(module_place: Path) -> Iterator[str]:
    """A filter that does what the message tells it; its socket."""
    path = module_place / "filter"
    filter_process = Process([sys.executable, str(SCRIPT), f"unix:{path}"], module_place / "filter.out")
    filter_process.start(lambda: accepts(path))
    yield f"unix:{path}"
    filter_process.kill()


@pytest.fixture(scope="module")
def sendmail(module_place: Path, sink: Sink, scripted: str) -> Iterator[Sendmail]:
    maps = {"virtusertable": {"info@rig.test": "x@elsewhere.test"}, "aliases": {"office": "bob, y@elsewhere.test"}}
    with Sendmail(module_place / "sendmail", sink=sink.port, milter=scripted, maps=maps) as running:
        yield running


def send(port: int, sender: str, *recipients: str) -> list[str]:
    """One message; the replies to MAIL, each RCPT, and the message."""
    with SmtpClient(port, source="127.0.0.2") as client:
        client.ehlo()
        return [str(reply) for reply in client.transaction(sender, *recipients, message=MESSAGE)]


def test_a_message_reaches_the_sink_as_it_was_sent(sendmail: Sendmail, sink: Sink) -> None:
    mail, rcpt, data = send(sendmail.ports["unfiltered"], "<reject@out.test>", "<alice@rig.test>")
    assert mail == "250 2.1.0 <reject@out.test>... Sender ok"
    assert rcpt == "250 2.1.5 <alice@rig.test>... Recipient ok"
    assert data.endswith(" Message accepted for delivery")
    delivery = sink.wait_for(1)[0]
    assert (delivery.sender, delivery.recipients) == ("reject@out.test", ("alice@rig.test",))
    assert delivery.data.endswith(b"\r\n.hello \xff\r\n")
    sendmail.wait_for_log(r"relay=\[127.0.0.2\]")
