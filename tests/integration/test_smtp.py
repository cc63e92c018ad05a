"""The way back into the MTA, over a real connection."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from rig import wait
from rig.certificate import make_certificate
from rig.nexthop import CLOSE, ScriptedNextHop
from rig.sink import Sink
from turfmilter.core.address.addressed import Addressed, addressed, parted
from turfmilter.mta.parameters import needs
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


@pytest.mark.parametrize("reply", ["what?", "25 Ok", "150 2.0.0 Ok", "999 no", "-"])
def test_a_reply_to_the_message_that_is_none_leaves_it_unknown(reply: str) -> None:
    """The server may have the message: taken for a refusal, it would be sent twice."""
    with ScriptedNextHop({".": reply}) as hop, pytest.raises(Unknown, match="invalid reply to the message"):
        give(hop.port)


def test_a_connection_that_breaks_after_the_message_leaves_it_unknown() -> None:
    with ScriptedNextHop({".": CLOSE}) as hop, pytest.raises(Unknown):
        give(hop.port)
    assert hop.messages == [MESSAGE]


@pytest.mark.parametrize(
    ("sender", "extensions", "mail", "lost"),
    [
        ("a@x.test BODY=8BITMIME", "8BITMIME", "<a@x.test> BODY=8BITMIME", []),
        ("a@x.test SIZE=12 BODY=8BITMIME", "SIZE", "<a@x.test> SIZE=25", []),
        ("a@x.test RET=HDRS ENVID=QQ1 AUTH=<>", "DSN", "<a@x.test> RET=HDRS ENVID=QQ1", []),
        ("jürgen@x.test smtputf8", "SMTPUTF8", "<jürgen@x.test> smtputf8", []),
        ("jürgen@x.test", "SMTPUTF8", "<jürgen@x.test> SMTPUTF8", []),
        ("anna@x.test SMTPUTF8 BODY=8BITMIME", "DSN", "<anna@x.test>", []),
        ("a@x.test RET=HDRS BY=120;R", "SIZE", "<a@x.test> SIZE=25", ["RET=HDRS", "BY=120;R"]),
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
        sent = give(hop.port, sender=parted(sender))
    assert hop.commands[1] == f"MAIL FROM:{mail}"
    assert sent.lost == lost


def test_the_parameters_of_a_recipient_go_with_it() -> None:
    with ScriptedNextHop() as hop:
        give(hop.port, parted("bob@rig.test NOTIFY=NEVER ORCPT=rfc822;b+2Bx@rig.test"), CAROL)
    assert hop.commands[2:4] == [
        "RCPT TO:<bob@rig.test> NOTIFY=NEVER ORCPT=rfc822;b+2Bx@rig.test",
        "RCPT TO:<carol@rig.test>",
    ]


UTF8 = Addressed("anna@out.test", ("SMTPUTF8", "BODY=8BITMIME"))
SECRET = Addressed("anna@out.test", ("REQUIRETLS",))
BINARY = Addressed("anna@out.test", ("BODY=BINARYMIME",))
UTF8_IN_THE_HEADER = "Subject: caf\u00e9\r\n\r\nhello\r\n".encode()
UTF8_IN_THE_TEXT = "Subject: x\r\n\r\n-- \r\nJ\u00fcrgen\r\n".encode()
UTF8_IN_A_PART = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Description: caf\xc3\xa9\r\n\r\nx\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("sender", "recipients", "message", "extensions", "why"),
    [
        (parted("j\u00fcrgen@x.test SMTPUTF8"), [BOB], MESSAGE, "8BITMIME", "SMTPUTF8.*UTF-8 in an address"),
        (parted("j\u00fcrgen@x.test"), [BOB], MESSAGE, "8BITMIME", "SMTPUTF8.*UTF-8 in an address"),
        (Addressed("a@b\u00fccher.test"), [BOB], MESSAGE, "8BITMIME", "SMTPUTF8.*UTF-8 in an address"),
        (ANNA, [BOB, Addressed("\u00e9tienne@rig.test")], MESSAGE, "8BITMIME", "SMTPUTF8.*UTF-8 in an address"),
        (ANNA, [Addressed("caf\udce9@rig.test")], MESSAGE, "8BITMIME", "SMTPUTF8.*UTF-8 in an address"),
        (UTF8, [BOB], UTF8_IN_THE_HEADER, "8BITMIME", "SMTPUTF8.*UTF-8 in a header"),
        (UTF8, [BOB], UTF8_IN_A_PART, "8BITMIME", "SMTPUTF8.*UTF-8 in a header"),
        (UTF8, [BOB], UTF8_IN_THE_TEXT, "SMTPUTF8", "8BITMIME"),
        (ANNA, [BOB], UTF8_IN_THE_TEXT, "SIZE", "8BITMIME.*8-bit characters"),
        (ANNA, [BOB], UTF8_IN_THE_HEADER, "SIZE", "8BITMIME.*8-bit characters"),
        (SECRET, [BOB], MESSAGE, "8BITMIME", "STARTTLS with REQUIRETLS"),
        (SECRET, [BOB], MESSAGE, "REQUIRETLS", "STARTTLS with REQUIRETLS"),
        (BINARY, [BOB], MESSAGE, "BINARYMIME", "BINARYMIME, which turfctl does not support"),
    ],
)
def test_a_message_is_not_sent_where_what_it_needs_is_not_offered(
    sender: Addressed, recipients: list[Addressed], message: bytes, extensions: str, why: str
) -> None:
    asked = Asked()
    hop = ScriptedNextHop({"EHLO": f"250-next.rig.test\r\n250 {extensions}"})
    with hop, pytest.raises(NotSent, match=rf"^127\.0\.0\.1:{hop.port}: .*{why}"):
        give(hop.port, *recipients, sender=sender, message=message, asked=asked)
    assert [command[:4].upper() for command in hop.commands if command[:4].upper() != "EHLO"] == []
    assert hop.messages == asked.recipients == []


@pytest.mark.parametrize(
    ("sender", "message", "extensions"),
    [
        (UTF8, MESSAGE, "SIZE"),
        (UTF8, UTF8_IN_THE_TEXT, "8BITMIME"),
        (ANNA, UTF8_IN_THE_HEADER, "8BITMIME"),
        (ANNA, UTF8_IN_A_PART, "8BITMIME"),
        (UTF8, UTF8_IN_THE_HEADER, "8BITMIME\r\n250 SMTPUTF8"),
    ],
)
def test_a_message_goes_where_it_needs_no_more_than_is_offered(
    sender: Addressed, message: bytes, extensions: str
) -> None:
    offered = "\r\n".join(f"250-{line.removeprefix('250 ')}" for line in extensions.split("\r\n"))
    with ScriptedNextHop({"EHLO": f"250-next.rig.test\r\n{offered}\r\n250 HELP"}) as hop:
        assert give(hop.port, sender=sender, message=message).lost == []
    assert hop.messages == [message]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"x\r\n-- \r\nJ\xc3\xbcrgen\r\n", ""),
        (b"x\r\n--b\r\nContent-Type: text/plain\r\n\r\nJ\xc3\xbcrgen\r\n--b--\r\n", ""),
        (b"x\r\n-- \r\nJ\xc3\xbcrgen\r\n--b\r\nX: caf\xc3\xa9\r\n\r\ny\r\n--b--\r\n", "a header"),
        (b"--b\r\n\r\nx\r\n--b\r\nX: y\r\n caf\xc3\xa9\r\n\r\ny\r\n--b--\r\n", "a header"),
        (b"--" + b"a" * 1_000_000 + b"\r\n--b\r\nX: caf\xc3\xa9\r\n\r\n", "a header"),
    ],
)
def test_utf8_in_the_header_of_a_part_is_found_and_that_in_its_text_is_not(text: bytes, found: str) -> None:
    assert needs(UTF8, [BOB], b"Subject: x\r\n\r\n" + text).smtputf8 == found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("alice@rig.test", "<alice@rig.test>"),
        ("<alice@rig. test>", "<alice@rig. test>"),
        ("<(x) alice>", "<(x) alice>"),
        ("< alice>", "< alice>"),
        ("<@a.test: alice>", "<@a.test: alice>"),
        ("Joe <alice@rig.test>", "Joe <alice@rig.test>"),
        ("<Joe <alice@rig.test>>", "<Joe <alice@rig.test>>"),
        ("alice (a comment)", "alice (a comment)"),
        ('"a b"@rig.test', '<"a b"@rig.test>'),
    ],
)
def test_a_recipient_is_named_in_the_words_in_which_the_mta_accepted_it(text: str, path: str) -> None:
    with ScriptedNextHop() as hop:
        give(hop.port, addressed(text, ("NOTIFY=NEVER",)))
    assert hop.commands[2] == f"RCPT TO:{path} NOTIFY=NEVER"


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


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pem"
    make_certificate(path, "localhost")
    return path


def give_secretly(port: int) -> Sent:
    """The name of the hop is the one in its certificate."""
    return send(NextHop("localhost", port, "filter.rig.test", timeout=20), SECRET, [BOB], MESSAGE, Asked())


STARTTLS = "250-next.rig.test\r\n250 STARTTLS"
AND_REQUIRETLS = {"EHLO": STARTTLS, "EHLO tls": "250-next.rig.test\r\n250 REQUIRETLS"}


def test_what_requires_tls_goes_by_tls_and_says_so(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ScriptedNextHop(AND_REQUIRETLS, certificate=certificate) as hop:
        assert give_secretly(hop.port).taken == [BOB]
    assert hop.commands[1:4] == ["STARTTLS", "ehlo filter.rig.test", "MAIL FROM:<anna@out.test> REQUIRETLS"]
    assert hop.messages == [MESSAGE]


@pytest.mark.parametrize(
    ("trusted", "offered", "why"),
    [
        (False, "250-next.rig.test\r\n250 REQUIRETLS", "certificate verify failed"),
        (True, "250-next.rig.test\r\n250 8BITMIME", "does not offer STARTTLS with REQUIRETLS"),
    ],
)
def test_what_requires_tls_does_not_go_where_the_way_is_not_proven(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, offered: str, why: str
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    hop = ScriptedNextHop({"EHLO": STARTTLS, "EHLO tls": offered}, certificate=certificate)
    with hop, pytest.raises(NotSent, match=why):
        give_secretly(hop.port)
    assert hop.messages == []
    assert not [command for command in hop.commands if command.startswith("MAIL")]
