"""The way back into the MTA, over a real connection."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rig import wait
from rig.nexthop import CLOSE, ScriptedNextHop
from rig.sink import Sink
from turfmilter.mta.parameters import Addressed, addressed
from turfmilter.mta.smtp import NextHop, NotSent, Sent, Unknown, send

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
ANNA = Addressed("anna@out.test")
BOB, CAROL = Addressed("bob@rig.test"), Addressed("carol@rig.test")


class Asked:
    """Remembers for whom the message was about to go."""

    def __init__(self) -> None:
        self.recipients: list[str] = []

    def __call__(self, recipients: Iterable[Addressed]) -> None:
        self.recipients += [recipient.address for recipient in recipients]


def give(
    port: int,
    *recipients: Addressed,
    sender: Addressed = ANNA,
    message: bytes = MESSAGE,
    asked: Asked | None = None,
) -> Sent:
    hop = NextHop("127.0.0.1", port, "filter.rig.test", timeout=wait.AMPLE)
    return send(hop, sender, recipients or (BOB,), message, asked or Asked())


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nb.\r\n\r\n.",
        b".\r\n",
        b"Subject:nospace\r\n\tfolded \r\n\r\n",
        b"X: caf\xe9\xff\r\n\r\nlone \r in the middle\r\n",
        b"",
        b"Subject: no end of the last line",
    ],
)
def test_a_message_arrives_byte_for_byte(message: bytes) -> None:
    with Sink() as sink:
        give(sink.port, message=message)
        (delivery,) = sink.deliveries
    assert delivery.data == (message if message.endswith(b"\r\n") or not message else message + b"\r\n")


def test_the_replies_are_those_of_the_next_hop_recipient_by_recipient() -> None:
    asked = Asked()
    with ScriptedNextHop({"RCPT TO:<carol@": "550 5.1.1 no such user"}) as hop:
        sent = give(hop.port, BOB, CAROL, asked=asked)
    assert sent.replies == {BOB: "250 2.0.0 Ok: queued as 4711", CAROL: "550 5.1.1 no such user"}
    assert sent.taken == [BOB]
    assert asked.recipients == ["bob@rig.test"]
    assert hop.messages == [MESSAGE]


@pytest.mark.parametrize(
    "replies",
    [
        {"DATA": "452 4.3.1 no room"},
        {".": "452 4.3.1 no room"},
    ],
)
def test_a_message_that_is_refused_is_refused_for_all(replies: dict[str, str]) -> None:
    with ScriptedNextHop(replies) as hop:
        sent = give(hop.port, BOB, CAROL)
    assert set(sent.replies.values()) == {"452 4.3.1 no room"}
    assert sent.taken == []


def test_nothing_is_sent_when_nobody_is_taken() -> None:
    asked = Asked()
    with ScriptedNextHop({"RCPT": "450 4.2.0 later"}) as hop:
        sent = give(hop.port, BOB, CAROL, asked=asked)
    assert sent.taken == asked.recipients == hop.messages == []
    assert not any(command.startswith("DATA") for command in hop.commands)


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ({"": "554 go away"}, "554 go away"),
        ({"": CLOSE}, "closed"),
        ({"EHLO": "502 5.5.1 no", "HELO": "550 5.7.1 not you"}, "550 5.7.1 not you"),
        ({"MAIL": "450 4.1.8 who are you"}, "MAIL FROM: 450 4.1.8 who are you"),
        ({"RCPT": CLOSE}, "closed"),
        ({"DATA": CLOSE}, "closed"),
    ],
)
def test_what_goes_wrong_before_the_message_is_said(replies: dict[str, str], why: str) -> None:
    with ScriptedNextHop(replies) as hop, pytest.raises(NotSent, match=why):
        give(hop.port)


def test_a_server_that_is_not_there_is_said() -> None:
    with ScriptedNextHop() as hop:
        port = hop.port
    with pytest.raises(NotSent, match="Connection refused"):
        give(port)


def test_a_connection_that_breaks_after_the_message_leaves_it_unknown() -> None:
    with ScriptedNextHop({".": CLOSE}) as hop, pytest.raises(Unknown):
        give(hop.port)
    assert hop.messages == [MESSAGE]


@pytest.mark.parametrize(
    ("sender", "extensions", "mail", "lost"),
    [
        ("a@x.test BODY=8BITMIME", "8BITMIME", "<a@x.test> BODY=8BITMIME", []),
        ("a@x.test SIZE=12 BODY=8BITMIME", "SIZE", "<a@x.test> SIZE=25", ["BODY=8BITMIME"]),
        ("a@x.test RET=HDRS ENVID=QQ1 AUTH=<>", "DSN", "<a@x.test> RET=HDRS ENVID=QQ1", []),
        ("jürgen@x.test smtputf8", "SMTPUTF8", "<jürgen@x.test> smtputf8", []),
        ("jürgen@x.test SMTPUTF8", "DSN", "<jürgen@x.test>", ["SMTPUTF8"]),
        ('"a b"@x.test RET=FULL', "DSN", '<"a b"@x.test> RET=FULL', []),
        ('"a RET=FULL"@x.test', "DSN", '<"a RET=FULL"@x.test>', []),
        ("a (a comment)@x.test", "DSN", "<a (a comment)@x.test>", []),
        ("", "DSN", "<>", []),
        (" BODY=7BIT", "8BITMIME", "<> BODY=7BIT", []),
    ],
)
def test_parameters_go_as_far_as_the_next_hop_takes_them(
    sender: str, extensions: str, mail: str, lost: list[str]
) -> None:
    with ScriptedNextHop({"EHLO": f"250-next.rig.test\r\n250 {extensions}"}) as hop:
        sent = give(hop.port, sender=addressed(sender))
    assert hop.commands[1] == f"MAIL FROM:{mail}"
    assert sent.lost == lost


def test_the_parameters_of_a_recipient_go_with_it() -> None:
    with ScriptedNextHop() as hop:
        give(hop.port, addressed("bob@rig.test NOTIFY=NEVER ORCPT=rfc822;b+2Bx@rig.test"), CAROL)
    assert hop.commands[2:4] == [
        "RCPT TO:<bob@rig.test> NOTIFY=NEVER ORCPT=rfc822;b+2Bx@rig.test",
        "RCPT TO:<carol@rig.test>",
    ]


@pytest.mark.parametrize("address", ["a@x.test>\r\nRCPT TO:<all@rig.test", "a\0@x.test", "a\nb@x.test"])
def test_no_address_can_say_a_command_of_its_own(address: str) -> None:
    with ScriptedNextHop() as hop:
        with pytest.raises(NotSent, match="line end"):
            give(hop.port, Addressed(address))
        assert hop.commands == []


@pytest.mark.parametrize(
    "message",
    [
        b"Subject: x\r\n\r\nhello\n.\r\nMAIL FROM:<>\r\n",
        b"Subject: x\r\n\r\nhello\n",
        b"Subject: x\r\n\r\nhello\r.\rMAIL FROM:<>\r\n",
    ],
)
def test_a_message_that_could_end_early_is_not_sent(message: bytes) -> None:
    with ScriptedNextHop() as hop:
        with pytest.raises(NotSent, match="export"):
            give(hop.port, message=message)
        assert hop.commands == []
