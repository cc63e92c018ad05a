"""What is held is the message as Postfix shows it, byte for byte: what would have been delivered without the filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost, without_received

CONFIG = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    # Postfix breaks long lines when it delivers (RFC 5321 §4.5.3.1.6), which has nothing to do with the filter.
    with PostfixHost(module_place, {"inbound": CONFIG}, parameters={"smtp_line_length_limit": "0"}) as running:
        yield running


def held_and_delivered(host: PostfixHost, message: bytes) -> tuple[bytes, bytes]:
    """The same message as it is held, and as the sink gets it without the filter."""
    for listener in ("inbound", "unfiltered"):
        host.send("<bob@rig.test>", sender="<x@turf.test>", message=message, listener=listener)
    ((held,), (delivery,)) = (host.filter.held(), host.delivered())
    return held.message, without_received(delivery.data)


UNCHANGED = {
    "plain": b"From: a@out.test\r\nSubject: hello\r\n\r\nhello\r\n",
    "odd spacing": b"A:x\r\nB:  two\r\nC:\ttab\r\nD: behind \t \r\nE:\r\nF: \r\n\r\nhello\r\n",
    "folds": b"A: a\r\n b\r\n\tc\r\nB:\r\n x\r\nC: x\r\n  \r\n y\r\n \r\n\r\nhello\r\n",
    "raw 8-bit": b"Subject: \xff\xe9\xc3\xbc\r\n\r\n\xff\x80\r\n",
    "long lines": b"\r\n".join([b"A: " + b"x" * 900, b"B: " + b"x" * 5000, b"", b"y" * 900, b"y" * 5000, b""]),
    "3000 fields": b"".join(b"X-%d: y\r\n" % number for number in range(3000)) + b"\r\nhello\r\n",
    "no body": b"Subject: hello\r\n\r\n",
    "no header": b"\r\nhello\r\n",
    "nothing but an empty line": b"\r\n",
    "NUL in the body": b"Subject: hello\r\n\r\na\x00b\r\n\x00\r\n",
    "controls": b"Subject: \x01\x02\x7f\x1b[31m\r\n\r\n\x1b\x0c\r\n",
    "dots": b"Subject: hello\r\n\r\n.\r\n..\r\n.x\r\n",
    "the same field again": b"Received: a\r\nFrom: a@b\r\nReceived: b\r\nfrom: c@d\r\n\r\nhello\r\n",
    "our own block": b"X-Quarantine-ID: a\r\nX-Quarantine-SHA256: b\r\n\r\nX-Quarantine-SHA256: c\r\n",
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA:b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Bcc: x\r\n\r\nx\r\n--b--\r\n",
    "blank lines at the end": b"Subject: hello\r\n\r\nhello  \r\n \r\n\r\n\r\n",
    "2 MB": b"Subject: hello\r\n\r\n" + b"0123456789abcdef\r\n" * 120_000,
}


@pytest.mark.parametrize("message", UNCHANGED.values(), ids=UNCHANGED)
def test_a_message_is_held_as_it_was_sent(host: PostfixHost, message: bytes) -> None:
    held, delivered = held_and_delivered(host, message)
    assert held == delivered == message


# What Postfix itself makes of a message before it shows it to a filter, or delivers it.
CHANGED = {
    "a blank before the colon goes": (b"A : x\r\nB\t: y\r\n\r\nhello\r\n", b"A: x\r\nB: y\r\n\r\nhello\r\n"),
    "the header ends where a name is not ASCII": (b"A: x\r\nX-\xfc: y\r\n\r\n", b"A: x\r\n\r\nX-\xfc: y\r\n\r\n"),
    "the header ends where there is no name": (b"A: x\r\n: y\r\n\r\nhello\r\n", b"A: x\r\n\r\n: y\r\n\r\nhello\r\n"),
    "the header ends where a line is no field": (b"A: x\r\nhello\r\n", b"A: x\r\n\r\nhello\r\n"),
    "a fold begins no header": (b" x\r\nA: b\r\n\r\nhello\r\n", b"\r\n x\r\nA: b\r\n\r\nhello\r\n"),
    "no field at all": (b"hello there\r\nbob\r\n", b"\r\nhello there\r\nbob\r\n"),
    "a field ends at NUL": (b"A: a\x00b\r\nB: y\r\n\r\nhello\r\n", b"A: a\r\nB: y\r\n\r\nhello\r\n"),
    "a bare CR is a blank": (b"A: a\rb\r\n\r\nx\ry\r\n", b"A: a b\r\n\r\nx y\r\n"),
    "CRs at the end of a line are one": (b"A: a\r\r\n\r\nx\r\r\n", b"A: a\r\n\r\nx\r\n"),
    "a bare LF ends a line": (b"A: a\n\nx\ny\r\n", b"A: a\r\n\r\nx\r\ny\r\n"),
    "a last line is ended": (b"A: a\r\n\r\nhello", b"A: a\r\n\r\nhello\r\n"),
    "what is the MTA's own goes": (
        b"Bcc: x@y\r\nReturn-Path: <x@y>\r\nResent-Bcc: z@y\r\nContent-Length: 3\r\nA: a\r\n\r\nhello\r\n",
        b"A: a\r\n\r\nhello\r\n",
    ),
    "a mailbox line is a field": (b"From x@y Mon\r\nA: a\r\n\r\n", b"X-Mailbox-Line: From x@y Mon\r\nA: a\r\n\r\n"),
    "a field is cut at 60000 bytes": (
        b"A: " + b"x" * 200_000 + b"\r\nB: y\r\n\r\nhello\r\n",
        b"A: " + b"x" * 59_997 + b"\r\nB: y\r\n\r\nhello\r\n",
    ),
}


@pytest.mark.parametrize(("message", "shown"), CHANGED.values(), ids=CHANGED)
def test_what_postfix_changes_is_held_as_it_would_have_been_delivered(
    host: PostfixHost, message: bytes, shown: bytes
) -> None:
    held, delivered = held_and_delivered(host, message)
    assert held == delivered
    assert held == shown


@pytest.mark.parametrize("message", [b"", b"Subject: hello\r\n"], ids=["nothing at all", "a header that does not end"])
def test_a_header_without_its_end_is_held_with_one(host: PostfixHost, message: bytes) -> None:
    held, delivered = held_and_delivered(host, message)
    assert delivered == message
    assert held == message + b"\r\n"


@pytest.mark.parametrize("message", [UNCHANGED["odd spacing"], UNCHANGED["NUL in the body"], UNCHANGED["2 MB"]])
def test_a_message_in_chunks_is_held_as_it_was_sent(host: PostfixHost, message: bytes) -> None:
    with host.client() as client:
        client.mail("<x@turf.test>", "BODY=8BITMIME")
        client.rcpt("<bob@rig.test>")
        first, rest = message[:7], message[7:]
        client.send(b"BDAT %d\r\n%b" % (len(first), first))
        assert client.reply().code == 250
        client.send(b"BDAT %d LAST\r\n%b" % (len(rest), rest))
        assert client.reply().code == 250
    assert [held.message for held in host.filter.held()] == [message]


def test_messages_of_one_connection_are_not_mixed_up(host: PostfixHost) -> None:
    messages = [b"Number: %d\r\n\r\n%b" % (number, b"%d\r\n" % number * 20_000) for number in range(5)]
    with host.client() as client:
        for message in messages:
            client.transaction("<x@turf.test>", "<bob@rig.test>", message=message)
    assert sorted(held.message for held in host.filter.held()) == messages


def test_messages_of_several_connections_are_not_mixed_up(host: PostfixHost) -> None:
    messages = [b"Number: %d\r\n\r\n%b" % (number, b"%d\r\n" % number * 20_000) for number in range(8)]
    clients = [host.client() for _ in messages]
    for client in clients:
        client.pipeline("MAIL FROM:<x@turf.test>", "RCPT TO:<bob@rig.test>", "DATA")
    halves = [len(message) // 2 for message in messages]
    for client, message, half in zip(clients, messages, halves, strict=True):
        client.send(message[:half])
    for client, message, half in zip(clients, messages, halves, strict=True):
        client.send(message[half:] + b".\r\n")
    assert [client.reply().code for client in clients] == [250] * len(clients)
    for client in clients:
        client.quit()
    assert sorted(held.message for held in host.filter.held()) == messages
