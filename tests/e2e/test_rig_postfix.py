"""The private Postfix, the sink and the SMTP client together, with and without a filter."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import wait
from rig.postfix import Postfix
from rig.sink import Sink
from rig.smtp import SmtpClient

MESSAGE = b"Subject: x\r\n\r\n.hello \xff\r\n"


@pytest.fixture(scope="module")
def postfix(module_place: Path, sink: Sink, scripted: str) -> Iterator[Postfix]:
    maps = {"virtual_alias_maps": {"info@rig.test": "x@elsewhere.test"}}
    with Postfix(module_place / "postfix", sink=sink.port, milter=scripted, maps=maps) as running:
        yield running


def send(port: int, sender: str, *recipients: str) -> list[str]:
    """One message; the replies to MAIL, each RCPT, and the message."""
    with SmtpClient(port, source="127.0.0.2") as client:
        client.ehlo()
        return [str(reply) for reply in client.transaction(sender, *recipients, message=MESSAGE)]


def test_a_message_reaches_the_sink_as_it_was_sent(postfix: Postfix, sink: Sink) -> None:
    mail, rcpt, data = send(postfix.ports["unfiltered"], "<reject@out.test>", "<alice@rig.test>")
    assert (mail, rcpt) == ("250 2.1.0 Ok", "250 2.1.5 Ok")
    assert data.startswith("250 2.0.0 Ok: queued as ")
    delivery = sink.wait_for(1)[0]
    assert (delivery.sender, delivery.recipients) == ("reject@out.test", ("alice@rig.test",))
    assert delivery.data.endswith(b"\r\n" + MESSAGE)
    postfix.wait_for_log(r"client=unknown\[127.0.0.2\]")


def test_the_filter_is_asked_at_the_inbound_listener(postfix: Postfix, sink: Sink) -> None:
    assert send(postfix.port, "<reject@out.test>", "<alice@rig.test>") == ["550 5.7.1 Command rejected"]
    replies = send(postfix.port, "<a@out.test>", "<reply@rig.test>", "<alice@rig.test>")
    assert replies[1:3] == ["550 5.7.1 no such luck", "250 2.1.5 Ok"]
    assert sink.wait_for(1)[0].recipients == ("alice@rig.test",)


@pytest.mark.parametrize(
    ("recipient", "reached"),
    [
        ("<bob@elsewhere.test>", "bob@elsewhere.test"),
        ("<x%relay.test@rig.test>", "x@relay.test"),
        ("<info@rig.test>", "x@elsewhere.test"),
        ("<postmaster>", "postmaster@rig.test"),
    ],
)
def test_everything_is_accepted_and_resolved_as_on_a_real_host(
    postfix: Postfix, sink: Sink, recipient: str, reached: str
) -> None:
    send(postfix.port, "<a@out.test>", recipient)
    assert sink.wait_for(1)[0].recipients == (reached,)


def test_any_client_can_be_played(postfix: Postfix, sink: Sink) -> None:
    with SmtpClient(postfix.port) as client:
        client.ehlo()
        played = client.xclient(ADDR="IPV6:2001:db8::7", NAME="mail.out.test", LOGIN="alice", HELO="helo.out.test")
        assert played.code == 220
        client.ehlo("helo.out.test")
        client.transaction("<a@out.test>", "<alice@rig.test>", message=MESSAGE)
    seen = sink.wait_for(1)[0].data.decode(errors="replace")
    assert "X-Saw: connect mail.out.test 10 ('2001:db8::7', " in seen
    postfix.wait_for_log(r"client=mail.out.test\[2001:db8::7\], sasl_method=XCLIENT, sasl_username=alice")


def test_international_addresses_pass(postfix: Postfix, sink: Sink) -> None:
    with SmtpClient(postfix.port) as client:
        client.ehlo()
        client.mail("<grüß@out.test>", "SMTPUTF8")
        client.rcpt("<müller@rig.test>")
        client.data(MESSAGE)
    assert sink.wait_for(1)[0].recipients == ("müller@rig.test",)


def test_local_submissions_go_through_the_filter(postfix: Postfix, sink: Sink) -> None:
    postfix.run("sendmail", "-t", "-f", "a@out.test", stdin=b"To: alice@rig.test\nSubject: x\n\nhello\n")
    delivery = sink.wait_for(1)[0]
    assert delivery.recipients == ("alice@rig.test",)
    assert b"X-Saw: mail a@out.test" in delivery.data


def test_the_hold_queue_can_be_looked_at(postfix: Postfix) -> None:
    send(postfix.port, "<change@out.test>", "<alice@rig.test>", "<carol@rig.test>")
    held = [message for message in postfix.queue() if message["queue_name"] == "hold"]
    assert [recipient["address"] for recipient in held[0]["recipients"]] == ["carol@rig.test", "bob@rig.test"]
    assert len(postfix.queued()) == 1
    postfix.run("postsuper", "-d", "ALL")
    assert postfix.queue() == postfix.queued() == []


def test_a_message_is_queued_once_it_is_complete(postfix: Postfix, sink: Sink) -> None:
    with SmtpClient(postfix.ports["unfiltered"], source="127.0.0.2") as client:
        client.ehlo()
        client.mail("<a@out.test>")
        client.rcpt("<alice@rig.test>")
        client.command("DATA")
        wait.until(lambda: list((postfix.spool / "incoming").iterdir()), "the file of the message")
        assert postfix.queued() == []
        assert client.content(MESSAGE).code == 250
    postfix.settle()
    assert len(sink.deliveries) == 1


@pytest.mark.parametrize(("action", "reply"), [("tempfail", "451"), ("accept", "250"), ("reject", "550")])
def test_without_a_filter_the_default_action_is_taken(place: Path, sink: Sink, action: str, reply: str) -> None:
    parameters = {"milter_default_action": action}
    with Postfix(place / "p", sink=sink.port, milter=f"unix:{place}/none", parameters=parameters) as postfix:
        assert send(postfix.port, "<a@out.test>", "<alice@rig.test>")[0].startswith(reply)


def test_a_listener_of_its_own_has_its_own_parameters(place: Path, sink: Sink, scripted: str) -> None:
    listeners = {"submission": {"milter_macro_daemon_name": "submission", "smtpd_banner": "other $myhostname"}}
    with (
        Postfix(place / "p", sink=sink.port, milter=scripted, listeners=listeners) as postfix,
        SmtpClient(postfix.ports["submission"]) as client,
    ):
        assert str(client.banner) == "220 other mx.rig.test"


def test_stopping_leaves_no_process_and_starting_again_works(place: Path, sink: Sink) -> None:
    postfix = Postfix(place / "p", sink=sink.port)
    for count in (1, 2):
        postfix.start()
        pids = postfix.pids()
        assert send(postfix.port, "<a@out.test>", "<alice@rig.test>")[2].startswith("250")
        assert len(postfix.pids()) >= len(pids) >= 3
        sink.wait_for(count)
        postfix.stop()
        assert postfix.pids() == []
        with pytest.raises(ConnectionRefusedError):
            SmtpClient(postfix.port)


def test_a_postfix_that_was_killed_is_seen(place: Path, sink: Sink) -> None:
    postfix = Postfix(place / "p", sink=sink.port)
    postfix.start()
    os.kill(postfix.pids()[0], signal.SIGKILL)
    postfix.stop()
    assert postfix.pids() == []


def test_a_broken_configuration_is_reported(place: Path, sink: Sink) -> None:
    postfix = Postfix(place / "p", sink=sink.port, parameters={"smtpd_delay_reject": "maybe"})
    with pytest.raises(RuntimeError, match="smtpd_delay_reject = maybe"):
        postfix.start()
    assert postfix.pids() == []


def test_a_directory_closed_to_postfix_is_reported(place: Path, sink: Sink) -> None:
    (place / "closed").mkdir(mode=0o700)
    with pytest.raises(RuntimeError, match="may not enter"):
        Postfix(place / "closed" / "p", sink=sink.port).start()
