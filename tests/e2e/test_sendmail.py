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
[reverse_name]
check = "stamp"
remove_forged = true
"""
MAPS = {
    "virtusertable": {"info@rig.test": "x@elsewhere.test"},
    "mailertable": {"rig2.test": "esmtp:[127.0.0.1]"},
    "aliases": {"office": "bob, y@elsewhere.test", "postmaster": "bob"},
}
NEWS = b"To: alice@rig.test\nSubject: x\n\nhello\n"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[SendmailHost]:
    with SendmailHost(module_place, CONFIG, maps=MAPS) as running:
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
def test_the_exempt_get_it_and_the_others_are_taken_off(host: SendmailHost, other: str) -> None:
    host.send("<postmaster@rig.test>", other, sender="<x@turf.test>")
    assert host.reached() == ["bob"]
    (held,) = host.filter.held()
    assert len(held.recipients) == 1


def test_where_taking_off_is_not_sure_nothing_is_taken(host: SendmailHost) -> None:
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


def test_results_that_bear_our_name_are_removed_and_ours_is_on_top(host: SendmailHost) -> None:
    forged = [
        b"Authentication-Results: mx.rig.test; iprev=pass",
        b"Authentication-Results: other.test; spf=pass",
        b"authentication-results:\r\n\t(x) MX.rig.test 1; dkim=pass",
    ]
    host.send("<alice@rig.test>", message=b"\r\n".join([*forged, b"From: a@out.test", b"", b"hello", b""]))
    (delivery,) = host.delivered()
    above, _, _ = delivery.data.partition(b"\r\n\r\n")
    found = [line for line in above.split(b"\r\n") if line.lower().startswith(b"authentication-results:")]
    assert found[0] == b"Authentication-Results: mx.rig.test;"
    assert found[1:] == forged[1:2]
    assert above.index(found[0]) < above.index(b"Received:")


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
