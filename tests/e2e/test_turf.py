"""Whose mail is put aside, what is kept of it, and what its sender hears."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost, queue_id

TABLE = """\
# Whose mail is put aside.
@turf.test              by=anna why="ticket 4711"
!friend@turf.test
=@exact.test
news*@list.test
!news-security@list.test
spammer@
<>
@[192.0.2.7]
@bücher.test
@gone.test              expires=2001-01-01
"a@b"@odd.test
"""
TURF = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["file:../turf.table"]
"""
FILTERS = {
    "inbound": TURF,
    "strict": TURF + 'spare_authenticated = false\nunreadable_author = "enforce"\n',
    "reject": TURF + 'answer = "reject"\n',
    "own-words": TURF + 'answer = "reject"\nreply = "554 5.7.0 go away"\n',
    "sender": TURF + 'match = ["sender"]\n',
    "author": TURF + 'match = ["author"]\n',
}
BOB = "<bob@rig.test>"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    (module_place / "turf.table").write_text(TABLE)
    with PostfixHost(module_place, FILTERS) as running:
        yield running


def by(author: str) -> bytes:
    """A message that says who wrote it."""
    return f"From: {author}\r\nSubject: hello\r\n\r\nhello\r\n".encode()


@pytest.mark.parametrize(
    ("sender", "line"),
    [
        ("<x@turf.test>", 2),
        ("<X@Sub.TURF.Test>", 2),
        ("<@route.test:x@turf.test>", 2),
        ('<"x y"@turf.test>', 2),
        ("<friend@turf.test>", 0),
        ("<Friend@turf.test>", 0),
        ("<friend@sub.turf.test>", 2),
        ("<x@noturf.test>", 0),
        ("<x@exact.test>", 4),
        ("<x@sub.exact.test>", 0),
        ("<news@list.test>", 5),
        ("<news-17@list.test>", 5),
        ("<news-security@list.test>", 0),
        ("<old-news@list.test>", 0),
        ("<spammer@anywhere.test>", 7),
        ("<>", 8),
        ("<x@[192.0.2.7]>", 9),
        ("<x@[192.0.2.8]>", 0),
        ("<x@bücher.test> SMTPUTF8", 10),
        ("<x@xn--bcher-kva.test>", 10),
        ("<x@gone.test>", 0),
        ('<"a@b"@odd.test>', 12),
    ],
)
def test_the_sender_decides(host: PostfixHost, sender: str, line: int) -> None:
    assert host.send(BOB, sender=sender)[-1].startswith("250 2.0.0 Ok: queued as ")
    assert host.reached() == ([] if line else ["bob@rig.test"])
    assert [held["X-Quarantine-Entry"].rpartition(":")[2] for held in host.filter.held()] == [str(line)] * bool(line)


@pytest.mark.parametrize(
    ("author", "held"),
    [
        ("x@turf.test", True),
        ("Anna <x@turf.test>", True),
        ("Anna\r\n <x@sub.TURF.test>", True),
        ('"Anna, of turf.test" <anna@out.test>', False),
        ("anna@out.test, Ben <x@turf.test>", True),
        ("Staff: anna@out.test, x@turf.test;", True),
        ("friend@turf.test", False),
        ("friend@turf.test, x@turf.test", True),
        ("anna@out.test\r\nFrom: x@turf.test", True),
        ("(x@turf.test) anna@out.test", False),
        ("x (a comment) @turf.test", True),
        ("anna@out.test\r\nSender: x@turf.test", False),
        ("anna@out.test\r\nReply-To: x@turf.test", False),
        ("anna@out.test\r\n\r\nFrom: x@turf.test", False),
        ("Grüße <x@turf.test>", True),
        ("nobody at all", False),
        ("", False),
    ],
)
def test_the_author_decides_for_any_sender(host: PostfixHost, author: str, held: bool) -> None:
    host.send(BOB, message=by(author))
    assert host.reached() == ([] if held else ["bob@rig.test"])
    assert len(host.filter.held()) == held


def test_a_held_message_keeps_its_envelope_and_the_reason(host: PostfixHost) -> None:
    with host.client(ADDR="192.0.2.9", NAME="mail.turf.test") as client:
        client.ehlo("me.turf.test")
        client.mail("<X@turf.test>", "SIZE=77", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314159")
        client.rcpt(BOB, "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob+40rig.test")
        client.rcpt("Carol@rig.test")
        taken = queue_id(str(client.data(MESSAGE)))
    (held,) = host.filter.held()
    expected = [
        ("X-Quarantine-ID", held.name),
        ("X-Envelope-From", "X@turf.test SIZE=77 BODY=8BITMIME RET=HDRS ENVID=QQ314159"),
        ("X-Envelope-To", "bob@rig.test NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+40rig.test"),
        ("X-Envelope-To", "Carol@rig.test"),
        ("X-Quarantine-Client", "192.0.2.9"),
        ("X-Quarantine-Name", "mail.turf.test"),
        ("X-Quarantine-Helo", "me.turf.test"),
        ("X-Quarantine-Account", ""),
        ("X-Quarantine-Listener", "mx.rig.test"),
        ("X-Quarantine-Queue-ID", taken),
        ("X-Quarantine-Time", held["X-Quarantine-Time"]),
        ("X-Quarantine-Rule", "turf"),
        ("X-Quarantine-Entry", "@turf.test ../turf.table:2"),
        ("X-Quarantine-Seal", held["X-Quarantine-Seal"]),
    ]
    assert list(held.block) == expected
    assert datetime.fromisoformat(held["X-Quarantine-Time"]) <= datetime.now(UTC)
    assert held.message == MESSAGE
    assert host.filter.half_written() == []


def test_authenticated_clients_are_spared_unless_configured_otherwise(host: PostfixHost) -> None:
    host.send(BOB, sender="<x@turf.test>", LOGIN="anna")
    assert host.reached() == ["bob@rig.test"]
    host.send(BOB, sender="<x@turf.test>", listener="strict", LOGIN="anna")
    assert host.reached() == ["bob@rig.test"]
    assert [held["X-Quarantine-Account"] for held in host.filters["strict"].held()] == ["anna"]


@pytest.mark.parametrize("author", ["nobody at all", "", "x@", "<x@turf.test"])
def test_an_unreadable_author_is_held_if_configured(host: PostfixHost, author: str) -> None:
    host.send(BOB, message=by(author), listener="strict")
    host.send(BOB, message=b"Subject: no author\r\n\r\n", listener="strict")
    assert host.reached() == []
    assert len(host.filters["strict"].held()) == 2


@pytest.mark.parametrize(
    ("listener", "reply"),
    [("reject", "550 5.7.1 message refused by local policy"), ("own-words", "554 5.7.0 go away")],
)
def test_the_sender_can_be_rejected_and_the_copy_is_still_kept(host: PostfixHost, listener: str, reply: str) -> None:
    assert host.send(BOB, sender="<x@turf.test>", listener=listener) == ["250 2.1.5 Ok", reply]
    assert host.reached() == []
    (held,) = host.filters[listener].held()
    assert held.recipients == ["bob@rig.test"]
    assert f' verdict=hold rule=turf entry="@turf.test ../turf.table:2" saw=sender id={held.name} reply="{reply}" ' in (
        host.filters[listener].said(held.name)
    )


@pytest.mark.parametrize(("listener", "other"), [("sender", "author"), ("author", "sender")])
def test_each_of_sender_and_author_can_be_left_out(host: PostfixHost, listener: str, other: str) -> None:
    host.send("<by-sender@rig.test>", sender="<x@turf.test>", listener=listener)
    host.send("<by-author@rig.test>", message=by("x@turf.test"), listener=listener)
    assert host.reached() == [f"by-{other}@rig.test"]
    assert [held.recipients for held in host.filters[listener].held()] == [[f"by-{listener}@rig.test"]]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_client_that_disconnects_leaves_nothing(host: PostfixHost, stage: str) -> None:
    with host.client(NAME="gone.out.test", REVERSE_NAME="gone.out.test") as client:
        client.mail("<x@turf.test>")
        if stage != "MAIL":
            client.rcpt(BOB)
        if stage == "DATA":
            client.command("DATA")
            client.send(b"A:b")
    host.postfix.wait_for_log(f"lost connection after {stage}.* from gone.out.test")
    assert (host.reached(), host.filter.held(), host.filter.half_written()) == ([], [], [])
