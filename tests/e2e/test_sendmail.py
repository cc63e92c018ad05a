"""What only Sendmail does: its own ways in, its own names for recipients, its own order of headers."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from e2e.sendmailhost import SendmailHost
from rig import wait

CONFIG = """\
domains = ["rig.test"]
[relay]
allow = []
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
MAPS = {
    "virtusertable": {"info@rig.test": "x@elsewhere.test"},
    "mailertable": {"rig2.test": "esmtp:[127.0.0.1]"},
    "aliases": {"office": "bob, y@elsewhere.test", "postmaster": "bob"},
}
LONG_HEADERS = ["define(`confMAX_HEADERS_LENGTH', `1000000')dnl"]
NEWS = b"To: alice@rig.test\nSubject: x\n\nhello\n"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[SendmailHost]:
    with SendmailHost(module_place, CONFIG, maps=MAPS, lines=LONG_HEADERS) as running:
        yield running


@pytest.mark.parametrize(
    "recipient",
    [
        "<x%relay.test@rig.test>",
        '<"x@elsewhere.test"@rig.test>',
        "<elsewhere.test!x@rig.test>",
        "<@rig.test:x@elsewhere.test>",
        "<[x@[1.2.3.4]>",
        "<x@[1.2.3.4]>",
    ],
)
def test_what_sendmail_would_deliver_elsewhere_is_refused_before_it_does(host: SendmailHost, recipient: str) -> None:
    (reply,) = host.send(recipient)
    assert reply == f"550 5.7.1 {recipient}... relaying prohibited"
    assert host.reached() == []


@pytest.mark.parametrize(
    ("recipient", "reached"),
    [
        ("<alice@rig.test>", ["alice"]),
        ("<alice+news@rig.test>", ["alice"]),
        ("<info@rig.test>", ["x@elsewhere.test"]),
        ("<office@rig.test>", ["bob", "y@elsewhere.test"]),
        ("<rig.test!alice>", ["alice"]),
        ("<Joe <alice@rig.test>>", ["alice"]),
        ("<alice>", ["alice"]),
    ],
)
def test_what_the_administrator_sends_elsewhere_passes(host: SendmailHost, recipient: str, reached: list[str]) -> None:
    assert [reply[:3] for reply in host.send(recipient)] == ["250", "250"]
    assert host.reached() == reached


@pytest.mark.parametrize("other", ["<Alice@RIG.test>", '<"alice"@rig.test>', "<office@rig.test>", "<alice>"])
def test_exempt_recipients_receive_it_and_the_others_are_removed(host: SendmailHost, other: str) -> None:
    host.send("<postmaster@rig.test>", other, sender="<x@turf.test>")
    assert host.reached() == ["bob"]
    (held,) = host.filter.held()
    assert len(held.recipients) == 1


def test_where_removal_is_not_reliable_nothing_is_accepted(host: SendmailHost) -> None:
    reply = host.send("<postmaster@rig.test>", "<alice@rig.test.>", sender="<x@turf.test>")[-1]
    assert reply == "451 4.3.0 cannot handle these recipients together, send them one by one"
    assert host.reached() == []


@pytest.mark.parametrize(
    "message",
    [
        b"Subject:no blank\r\nX-Two:  blanks\r\nX-Tab:\ttab\r\n\r\nbody\r\n",
        b"Subject: folded\r\n\tonce\r\n  twice\r\n\r\n.dot\r\n..dots\r\n",
        b"Subject: \xe9 \xff\r\nX-Empty:\r\n\r\n\xff\xfe 8 bits\r\n",
        b"Subject: long\r\n\r\n" + b"x" * 900 + b"\r\n" + b"y" * 2000 + b"\r\n",
    ],
    ids=["blanks", "folds", "8-bit", "long"],
)
def test_a_held_message_is_what_the_client_sent(host: SendmailHost, message: bytes) -> None:
    host.send("<alice@rig.test>", sender="<x@turf.test>", message=message)
    (held,) = host.filter.held()
    assert held.message == message


DROPPED = [b"Date", b"Message-ID", b"From", b"Resent-From", b"Resent-Date", b"Resent-Message-ID", b"Full-Name"]
KEPT = [b"Subject", b"To", b"Cc", b"Sender", b"Reply-To", b"Received", b"Comments", b"X-Empty"]


@pytest.mark.parametrize("blank", [b"", b" "])
def test_of_empty_fields_those_that_sendmail_would_complete_never_reach_a_filter(
    host: SendmailHost, blank: bytes
) -> None:
    message = b"".join(name + b":" + blank + b"\r\n" for name in [*DROPPED, *KEPT])
    host.send("<alice@rig.test>", sender="<x@turf.test>", message=message + b"\r\nhello\r\n")
    (held,) = host.filter.held()
    assert held.message == b"".join(name + b":" + blank + b"\r\n" for name in KEPT) + b"\r\nhello\r\n"


@pytest.mark.parametrize("name", [b"Text", b"Message"])
def test_fields_of_two_names_end_the_header_for_sendmail(host: SendmailHost, name: bytes) -> None:
    """What would be delivered without the filter is the same."""
    message = b"Subject: x\r\n%b: y\r\nX-Z: z\r\n\r\nhello\r\n" % name
    host.send("<alice@rig.test>", sender="<x@turf.test>", message=message)
    (held,) = host.filter.held()
    host.send("<alice@rig.test>", message=message)
    (delivery,) = host.delivered()
    assert held.message == b"Subject: x\r\n\r\n%b: yX-Z: z\r\n\r\nhello\r\n" % name
    assert delivery.data.endswith(held.message.partition(b"\r\n")[2])


def test_a_field_that_does_not_fit_into_the_milter_protocol_is_put_off_and_logged(host: SendmailHost) -> None:
    for size, code in ((64, "250"), (67, "451")):
        long = b"X-Long:" + (b" " + b"x" * 997 + b"\r\n") * size
        replies = host.send("<alice@rig.test>", message=b"Subject: x\r\n" + long + b"From: a@out.test\r\n\r\nhello\r\n")
        assert replies[-1][:3] == code
    host.filter.said(
        # libmilter does not show the field before it when Sendmail has closed the connection by then.
        r"^(?:error: \w+: the MTA aborted the message in its header, fields received: 1|info: \w+: .* received: 0) "
        ".client=127.0.0.2 sender=anna@out.test.: .*if the MTA's log reports a length that is out of range"
    )
    assert host.reached() == ["alice"]


def test_sendmail_t_with_sendmail_cf_reaches_no_filter(host: SendmailHost) -> None:
    host.sendmail.sendmail("-t", "-f", "x@turf.test", stdin=NEWS)
    assert host.reached() == ["alice"]
    assert host.filter.held() == []


def test_sendmail_t_with_submit_cf_is_a_client_on_loopback(host: SendmailHost) -> None:
    host.sendmail.sendmail("-t", "-f", "x@turf.test", stdin=NEWS, cf="submit.cf")
    host.settle()
    (held,) = host.filter.held()
    assert held["X-Quarantine-Client"] == "127.0.0.1"
    with pytest.raises(RuntimeError, match="relaying prohibited"):
        host.sendmail.sendmail("-f", "a@rig.test", "x@elsewhere.test", stdin=NEWS, cf="submit.cf")


@pytest.mark.parametrize("pipes", [True, False], ids=["pipes", "unix socket"])
def test_sendmail_bs_is_local_and_may_send_anywhere_but_not_from_turf(host: SendmailHost, pipes: bool) -> None:
    command = host.sendmail.command("sendmail.cf", "-bs")
    for sender in ("<a@rig.test>", "<x@turf.test>"):
        assert converse(command, pipes, sender, "<x@elsewhere.test>")[-1] == 250
    assert host.reached() == ["x@elsewhere.test"]
    assert [held.recipients for held in host.filter.held()] == [["x@elsewhere.test"]]


def converse(command: list[str], pipes: bool, sender: str, recipient: str) -> list[int]:
    """One message in a session with a program on pipes, or on a unix socket; the codes of the replies."""
    if pipes:
        command = ["bash", "-c", 'cat | "$@" | cat', "pipes", *command]
    ours, theirs = socket.socketpair()
    with ours, subprocess.Popen(command, stdin=theirs, stdout=theirs) as child, ours.makefile("rb") as replies:
        theirs.close()
        codes = [_code(replies)]
        for line in ("HELO x", f"MAIL FROM:{sender}", f"RCPT TO:{recipient}", "DATA", "a: b\r\n\r\nx\r\n."):
            ours.sendall(f"{line}\r\n".encode())
            codes.append(_code(replies))
        ours.shutdown(socket.SHUT_WR)
        child.wait(wait.AMPLE)
    return codes


def _code(replies: BinaryIO) -> int:
    line = replies.readline()
    assert line[3:4] == b" ", line
    return int(line[:3])
