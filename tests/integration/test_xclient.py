"""XCLIENT: the next hop hears who the client was, and a client can say nothing of its own there."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.nexthop import CLOSE, ScriptedNextHop
from turfmilter.core.address.addressed import Addressed
from turfmilter.mta.smtp import NextHop, Sent, send
from turfmilter.mta.xclient import OriginalClient

ALL = "NAME ADDR PROTO HELO LOGIN DESTADDR DESTPORT"
OFFERED = {"EHLO": f"250-next.rig.test\r\n250-SIZE 10000000\r\n250 XCLIENT {ALL}", "XCLIENT": "220 next.rig.test ESMTP"}
CLIENT = OriginalClient("192.0.2.7", "mail.out.test", "out.test")
NAMED = "XCLIENT ADDR=192.0.2.7 NAME=mail.out.test HELO=out.test"
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
ANNA, BOB = Addressed("anna@out.test"), Addressed("bob@rig.test")


def give(port: int, client: OriginalClient | None) -> Sent:
    def before_data(_: Iterable[Addressed]) -> None:
        pass

    return send(NextHop("127.0.0.1", port, "filter.rig.test", 20), ANNA, [BOB], MESSAGE, before_data, client)


def test_the_client_is_named_and_the_session_begins_again() -> None:
    with ScriptedNextHop(OFFERED) as hop:
        sent = give(hop.port, CLIENT)
    assert (list(sent.replies.values()), sent.lost) == (["250 2.0.0 Ok: queued as 4711"], [])
    assert hop.commands[:4] == ["ehlo filter.rig.test", NAMED, "ehlo out.test", "MAIL FROM:<anna@out.test> SIZE=25"]


@pytest.mark.parametrize(
    ("client", "offered"),
    [
        (CLIENT, ""),
        (CLIENT, "XFORWARD NAME ADDR"),
        (CLIENT, "XCLIENT NAME HELO"),
        (OriginalClient("local", "", ""), f"XCLIENT {ALL}"),
        (OriginalClient("", "", ""), f"XCLIENT {ALL}"),
        (OriginalClient("192.0.2.7 LOGIN=root", "", ""), f"XCLIENT {ALL}"),
        (None, f"XCLIENT {ALL}"),
    ],
)
def test_nothing_is_said_where_it_is_not_offered_or_there_is_no_client(
    client: OriginalClient | None, offered: str
) -> None:
    with ScriptedNextHop({"EHLO": f"250-next.rig.test\r\n250-{offered}\r\n250 DSN"}) as hop:
        assert give(hop.port, client).taken == [BOB]
    assert [command[:4] for command in hop.commands] == ["ehlo", "MAIL", "RCPT", "DATA", "quit"]


@pytest.mark.parametrize(
    ("client", "command"),
    [
        (CLIENT, NAMED),
        (
            OriginalClient("2001:db8::7", "", "[IPv6:2001:db8::7]"),
            "ADDR=IPV6:2001:db8::7 NAME=[UNAVAILABLE] HELO=[IPv6:2001:db8::7]",
        ),
        (OriginalClient("fe80::7%eth0", "", ""), "ADDR=IPV6:fe80::7 NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]"),
        (OriginalClient("fe80::7%a LOGIN=b", "", ""), "ADDR=IPV6:fe80::7 NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]"),
        (OriginalClient("fe80::7%a\r\nRSET", "", ""), "ADDR=IPV6:fe80::7 NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]"),
        (OriginalClient("::ffff:192.0.2.7%a b", "", ""), "ADDR=192.0.2.7 NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]"),
        (OriginalClient("192.0.2.7", "a b", "x y"), "ADDR=192.0.2.7 NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]"),
        (
            OriginalClient("192.0.2.7", "x LOGIN=root", "x\r\nRSET"),
            "ADDR=192.0.2.7 NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]",
        ),
        (OriginalClient("192.0.2.7", "a=b", "a+b=c"), "ADDR=192.0.2.7 NAME=[UNAVAILABLE] HELO=a+2Bb+3Dc"),
        (OriginalClient("192.0.2.7", "x" * 256, "é"), "ADDR=192.0.2.7 NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]"),
    ],
)
def test_what_the_client_said_is_quoted_or_left_out(client: OriginalClient, command: str) -> None:
    assert client.command(ALL).removeprefix("XCLIENT ") == command.removeprefix("XCLIENT ")


@given(name=st.text(), helo=st.text() | st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_no_client_can_name_an_account_or_end_the_line(name: str, helo: str) -> None:
    client = OriginalClient("192.0.2.7", name, helo)
    assert re.fullmatch(r"XCLIENT ADDR=192\.0\.2\.7 NAME=[!-<>-~]+ HELO=[!-<>-~]+", client.command(ALL))
    assert re.fullmatch(r"[!-~]+", client.ehlo("filter.rig.test"))


@pytest.mark.parametrize("helo", ["", "x y", "a+b", "-x@", "é", "x" * 256, "[192.0.2.7"])
def test_a_greeting_that_is_none_is_not_repeated(helo: str) -> None:
    assert OriginalClient("192.0.2.7", "", helo).ehlo("filter.rig.test") == "filter.rig.test"


@pytest.mark.parametrize(
    "replies",
    [
        {"XCLIENT": "550 5.7.0 not authorized"},
        {"XCLIENT": "501 5.5.4 Bad ADDR syntax"},
        {"XCLIENT": "421 4.3.2 closing"},
        {"XCLIENT": CLOSE},
        {"ehlo out.test": "501 5.5.2 what?", "EHLO out.test": "501 5.5.2 what?"},
    ],
)
def test_a_hop_that_does_not_accept_it_gets_the_message_without_it(replies: dict[str, str]) -> None:
    with ScriptedNextHop(OFFERED | replies) as hop:
        sent = give(hop.port, CLIENT)
    assert sent.taken == [BOB]
    assert hop.messages == [MESSAGE]
    (lost,) = sent.lost
    assert lost.startswith("XCLIENT (")
    assert hop.commands[-5:-3] == ["ehlo filter.rig.test", "MAIL FROM:<anna@out.test> SIZE=25"]
