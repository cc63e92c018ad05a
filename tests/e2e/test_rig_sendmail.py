"""The private Sendmail, the sink and the SMTP client together, with and without a filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.otherfilter import SCRIPTED, OtherFilter
from rig.ports import free_port
from rig.sendmail import Sendmail
from rig.sink import Sink
from rig.smtp import SmtpClient

MESSAGE = b"Subject: x\r\n\r\n.hello \xff\r\n"


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
    assert (delivery.sender, delivery.recipients) == ("reject@out.test", ("alice",))
    assert delivery.data.endswith(b"\r\n.hello \xff\r\n")
    sendmail.wait_for_log(r"relay=\[127.0.0.2\]")


def test_the_filter_is_asked_at_the_inbound_listener(sendmail: Sendmail, sink: Sink) -> None:
    refused = "550 5.7.1 <reject@out.test>... Command rejected"
    assert send(sendmail.port, "<reject@out.test>", "<alice@rig.test>") == [refused]
    replies = send(sendmail.port, "<a@out.test>", "<reply@rig.test>", "<alice@rig.test>")
    assert replies[1:3] == [
        "550 5.7.1 <reply@rig.test>... no such luck",
        "250 2.1.5 <alice@rig.test>... Recipient ok",
    ]
    assert sink.wait_for(1)[0].recipients == ("alice",)


@pytest.mark.parametrize(
    ("recipient", "reached"),
    [
        ("<bob@elsewhere.test>", ["bob@elsewhere.test"]),
        ("<x%relay.test@rig.test>", ["x@relay.test"]),
        ("<info@rig.test>", ["x@elsewhere.test"]),
        ("<postmaster>", ["postmaster"]),
        ("<office@rig.test>", ["bob", "y@elsewhere.test"]),
    ],
)
def test_everything_is_accepted_and_resolved_as_on_a_real_host(
    sendmail: Sendmail, sink: Sink, recipient: str, reached: list[str]
) -> None:
    send(sendmail.port, "<a@out.test>", recipient)
    sendmail.settle()
    assert sorted(one for delivery in sink.deliveries for one in delivery.recipients) == reached


def test_it_knows_the_names_that_it_is_given(place: Path, sink: Sink, scripted: str) -> None:
    with Sendmail(place / "s", sink=sink.port, milter=scripted, hosts={"127.0.0.2": "mail.out.test"}) as sendmail:
        send(sendmail.port, "<a@out.test>", "<alice@rig.test>")
        assert b"X-Saw: connect mail.out.test 2 ('127.0.0.2', " in sink.wait_for(1)[0].data


NEWS = b"To: alice@rig.test\nSubject: x\n\nhello\n"


def test_a_program_with_sendmail_cf_reaches_no_filter(sendmail: Sendmail, sink: Sink) -> None:
    sendmail.sendmail("-t", "-f", "reject@out.test", stdin=NEWS)
    assert b"X-Saw" not in sink.wait_for(1)[0].data


def test_a_program_with_submit_cf_is_a_client_like_any_other(sendmail: Sendmail, sink: Sink) -> None:
    sendmail.sendmail("-t", "-f", "a@out.test", stdin=NEWS, cf="submit.cf")
    data = sink.wait_for(1)[0].data
    assert b"X-Saw: connect localhost 2 ('127.0.0.1', " in data
    assert b"X-Saw: mail <a@out.test> ('SIZE=" in data


def test_the_hold_queue_can_be_looked_at(sendmail: Sendmail) -> None:
    send(sendmail.port, "<change@out.test>", "<alice@rig.test>", "<carol@rig.test>")
    (held,) = sendmail.queue()
    assert held["queue_name"] == "hold"
    sendmail.forget()
    assert sendmail.queue() == []


def test_accounts_log_in_after_starttls(place: Path, sink: Sink, scripted: str) -> None:
    with (
        Sendmail(
            place / "s",
            sink=sink.port,
            milter=scripted,
            accounts={"alice": "secret"},
            listeners={"submission": "M=Ea"},
        ) as sendmail,
        SmtpClient(sendmail.ports["submission"], source="127.0.0.2") as client,
    ):
        assert "AUTH" not in client.ehlo().text
        assert client.mail("<a@out.test>").code == 530
        assert client.starttls(sendmail.certificate).code == 220
        assert "AUTH PLAIN LOGIN" in client.ehlo().text
        assert client.auth("alice", "wrong").code == 535
        assert client.auth("alice", "secret").code == 235
        assert client.transaction("<a@out.test>", "<alice@rig.test>", message=MESSAGE)[-1].code == 250
        assert sink.wait_for(1)  # before Sendmail is stopped


def test_a_filter_can_be_asked_at_a_port(place: Path, sink: Sink) -> None:
    port = free_port()
    with (
        OtherFilter(SCRIPTED, f"inet:{port}@127.0.0.1", place / "filter.out"),
        Sendmail(place / "s", sink=sink.port, milter=f"inet:127.0.0.1:{port}") as sendmail,
    ):
        assert send(sendmail.port, "<reject@out.test>", "<alice@rig.test>")[0].startswith("550 ")


@pytest.mark.parametrize(("flag", "reply"), [("F=T, ", "451"), ("", "250"), ("F=R, ", "550")])
def test_without_a_filter_the_flag_decides(place: Path, sink: Sink, flag: str, reply: str) -> None:
    lines = [f"INPUT_MAIL_FILTER(`none', `S=local:{place}/none, {flag}T=C:2s')dnl"]
    with Sendmail(place / "s", sink=sink.port, lines=lines) as sendmail:
        assert send(sendmail.port, "<a@out.test>", "<alice@rig.test>")[0].startswith(reply)


def test_stopping_leaves_no_process_and_starting_again_works(place: Path, sink: Sink) -> None:
    sendmail = Sendmail(place / "s", sink=sink.port)
    for count in (1, 2):
        sendmail.start()
        assert send(sendmail.port, "<a@out.test>", "<alice@rig.test>")[2].startswith("250")
        sink.wait_for(count)
        with SmtpClient(sendmail.port) as idle:
            assert len(sendmail.pids()) == 2
            sendmail.stop()
            assert sendmail.pids() == []
            with pytest.raises(ConnectionError):
                idle.reply()
        with pytest.raises(ConnectionRefusedError):
            SmtpClient(sendmail.port)


def test_a_broken_configuration_is_reported(place: Path, sink: Sink) -> None:
    with pytest.raises(RuntimeError, match=r"FEATURE\(\) should be before MAILER"):
        Sendmail(place / "s", sink=sink.port, lines=["MAILER(`local')dnl", "FEATURE(`nouucp')dnl"]).start()


def test_why_it_does_not_start_is_reported(place: Path, sink: Sink) -> None:
    (place / "open").mkdir()
    (place / "open").chmod(0o777)
    sendmail = Sendmail(place / "s", sink=sink.port, milter=f"unix:{place}/open/socket")
    with pytest.raises(RuntimeError, match="World writable directory"):
        sendmail.start()
    assert sendmail.pids() == []
