"""The milter client, against a small pymilter program over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig import wire
from rig.answer import Answer, Changes, ProtocolError
from rig.milterclient import MilterClient
from rig.otherfilter import SCRIPTED, OtherFilter
from rig.wire import Action, Protocol, Stage

Start = Callable[..., MilterClient]


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Start the filter with PROTOCOL bits and STAGE=MACROS lists; a client connected to it."""
    socket_path = place / "milter"
    clients: list[MilterClient] = []

    def started(protocol: Protocol = Protocol.NONE, *symlists: str, **options: object) -> MilterClient:
        arguments = (str(int(protocol)), *symlists)
        running.enter_context(OtherFilter(SCRIPTED, f"unix:{socket_path}", place / "output", *arguments))
        clients.append(MilterClient(socket_path, **options))  # type: ignore[arg-type]
        return clients[-1]

    with ExitStack() as running:
        yield started
        for client in clients:
            client.close()


def saw(changes: Changes) -> list[str]:
    """What the filter says it saw."""
    return [value for name, value in changes.addheader if name == "X-Saw"]


def test_a_message_passes_with_everything_shown(start: Start) -> None:
    client = start()
    client.greet("client.out.test", "192.0.2.9", 4711)
    told = client.message(("<a@out.test>", "SIZE=9"), ["<b@rig.test>"], [("Subject", " x\n y")], b"hi\r\n")
    client.quit()
    assert str(told.end) == "continue"
    assert saw(told.changes) == [
        "connect client.out.test 2 ('192.0.2.9', 4711)",
        "helo client.out.test",
        "mail <a@out.test> ('SIZE=9',) i=None",
        "rcpt <b@rig.test> () b@rig.test",
        "header Subject:x\n y",
        "body 1",
        "macros 4XyZ000001 mx.rig.test",
    ]


@pytest.mark.parametrize(
    ("address", "port", "shown"),
    [
        ("2001:db8::7", 25, "client 10 ('2001:db8::7', 25, 0, 0)"),
        ("/run/smtp", 0, "client 1 /run/smtp"),
        (None, 0, "client 0 None"),
    ],
)
def test_every_family_of_client_is_shown(start: Start, address: str | None, port: int, shown: str) -> None:
    client = start()
    client.greet("client", address, port)
    assert saw(client.message("<a@b>", ["<c@d>"]).changes)[0] == f"connect {shown}"


@pytest.mark.parametrize(
    ("sender", "steps", "end"),
    [
        ("<accept@a>", ["mail"], "accept"),
        ("<reject@a>", ["mail"], "reject"),
        ("<tempfail@a>", ["mail"], "tempfail"),
        ("<discard@a>", ["mail"], "discard"),
        ("<reply@a>", ["mail"], "550 5.7.1 no such luck"),
        ("<accept-at-data@a>", ["mail", "rcpt", "data"], "accept"),
        ("<reject-at-eom@a>", ["mail", "rcpt", "data", "header", "eoh", "body", "eom"], "reject"),
        ("<reply-at-eom@a>", ["mail", "rcpt", "data", "header", "eoh", "body", "eom"], "550 5.7.1 no such luck"),
    ],
)
def test_a_message_stops_where_an_mta_stops(start: Start, sender: str, steps: list[str], end: str) -> None:
    client = start()
    client.greet()
    told = client.message(sender, ["<c@d>"])
    assert [name for name, _ in told.steps] == steps
    assert str(told.end) == end
    assert ("abort" in client.sent_bytes) is ("eom" not in steps)


def test_after_a_refused_recipient_the_next_is_asked(start: Start) -> None:
    client = start()
    client.greet()
    told = client.message("<a@b>", ["<reject@d>", "<reply@d>", "<c@d>", "<tempfail@d>"])
    assert [str(answer) for answer in told.rcpts] == ["reject", "550 5.7.1 no such luck", "continue", "tempfail"]
    assert told.eom is not None


@pytest.mark.parametrize(
    ("recipients", "asked"),
    [
        (["<reject@d>", "<tempfail@d>"], ["reject", "tempfail"]),
        (["<c@d>", "<accept@d>", "<reject@d>"], ["continue", "accept"]),
        (["<c@d>", "<discard@d>", "<reject@d>"], ["continue", "discard"]),
        (["<c@d>", "<leave@d>", "<c@d>"], ["continue", "421 4.7.0 closing"]),
    ],
)
def test_no_data_follows_when_no_recipient_needs_it(start: Start, recipients: list[str], asked: list[str]) -> None:
    client = start()
    client.greet()
    told = client.message("<a@b>", recipients)
    assert [str(answer) for answer in told.rcpts] == asked
    assert told.eom is None


@pytest.mark.parametrize("name", ["accept", "reject"])
def test_a_session_that_ended_at_connect_shows_no_message(start: Start, name: str) -> None:
    client = start()
    assert str(client.greet(name)) == name
    told = client.message("<a@b>", ["<c@d>"])
    assert (told.steps, str(told.end)) == ([], name)


def test_changes_and_signs_of_life_are_collected(start: Start) -> None:
    client = start()
    client.greet()
    told = client.message("<late-change@a>", ["<alice@rig.test>"])
    assert told.eom is not None
    assert told.eom.progress == 2
    changes = told.changes
    assert (changes.delrcpt, changes.addrcpt) == (["<alice@rig.test>"], ["<bob@rig.test>"])
    assert changes.chgheader == [(1, "Subject", "changed")]
    assert changes.insheader == [(0, "X-First", "one")]
    assert (changes.quarantine, changes.replbody) == (["held"], b"new\r\n")


def test_two_messages_go_through_one_connection_with_their_own_queue_ids(start: Start) -> None:
    client = start()
    client.greet()
    first = client.message("<a@b>", ["<c@d>"])
    client.message("<a@b>", ["<reject@d>"])
    second = client.message("<e@f>", ["<g@h>"])
    assert saw(first.changes)[-1] == "macros 4XyZ000001 mx.rig.test"
    assert saw(second.changes)[-1] == "macros 4XyZ000002 mx.rig.test"
    assert "abort" in saw(second.changes)


def test_what_is_switched_off_is_not_sent(start: Start) -> None:
    off = Protocol.NOHELO | Protocol.NODATA | Protocol.NOHDRS | Protocol.NOEOH | Protocol.NOBODY
    client = start(off)
    client.greet()
    told = client.message("<a@b>", ["<c@d>"])
    assert saw(told.changes)[1:] == [
        "mail <a@b> () i=None",
        "rcpt <c@d> () c@d",
        "body 0",
        "macros 4XyZ000001 mx.rig.test",
    ]
    assert [name for name, answer in told.steps if not answer.sent] == ["data", "header", "eoh", "body"]
    assert not {"helo", "data", "header", "eoh", "body"} & set(client.sent_bytes)


def test_what_is_not_answered_is_not_waited_for(start: Start) -> None:
    silent = Protocol.NR_CONN | Protocol.NR_HELO | Protocol.NR_MAIL | Protocol.NR_RCPT | Protocol.NR_HDR
    client = start(silent | Protocol.NR_DATA | Protocol.NR_EOH | Protocol.NR_BODY | Protocol.NR_UNKN)
    client.greet()
    client.unknown("FOO")
    told = client.message("<a@b>", ["<c@d>"])
    assert [name for name, answer in told.steps if answer.answered] == ["eom"]
    assert client.round_trips == {"negotiate": 1, "eom": 1}
    assert saw(told.changes)[2] == "unknown FOO"
    client.quit()


def test_macros_are_sent_as_the_filter_asks(start: Start) -> None:
    client = start(Protocol.NONE, "0={client_addr} {daemon_port}", "3={rcpt_addr}", "5={client_addr} j")
    client.greet("[2001:db8::7]", "2001:db8::7", 25)
    assert client.macros.requested == {
        Stage.CONNECT: ["client_addr", "daemon_port"],
        Stage.RCPT: ["rcpt_addr"],
        Stage.EOM: ["client_addr", "j"],
    }
    assert client.macros.at(Stage.CONNECT) == ["{client_addr}", b"IPv6:2001:db8::7", "{daemon_port}", "25"]
    assert client.macros.at(Stage.EOM) == ["{client_addr}", b"IPv6:2001:db8::7", "j", "mx.rig.test"]
    client.mail("<a@b>")
    client.rcpt("<x%y@rig.test>", macros={"rcpt_addr": "x@y"})
    told = client.eom().changes
    assert "rcpt <x%y@rig.test> () x@y" in saw(told)


def test_the_blank_after_the_colon_stays_only_when_negotiated(start: Start) -> None:
    client = start(Protocol.HDR_LEADSPC)
    client.greet()
    seen = saw(client.message("<a@b>", ["<c@d>"], [("A", " x"), ("B", "x"), ("C", "\tx"), ("D", b" \xff")]).changes)
    assert [line for line in seen if line.startswith("header")] == [
        "header A: x",
        "header B:x",
        "header C:\tx",
        "header D: \\udcff",
    ]


@pytest.mark.parametrize(("sender", "chunks"), [("<a@b>", 4), ("<skip@b>", 2)])
def test_the_body_comes_in_chunks_until_skip(start: Start, sender: str, chunks: int) -> None:
    client = start(Protocol.SKIP)
    client.greet()
    told = client.message(sender, ["<c@d>"], body=b"x" * (3 * wire.CHUNK + 1))
    assert f"body {chunks}" in saw(told.changes)
    assert client.round_trips["body"] == chunks


def test_the_body_ends_where_it_is_refused(start: Start) -> None:
    client = start()
    client.greet()
    told = client.message("<reject-in-body@b>", ["<c@d>"], body=b"x" * (2 * wire.CHUNK))
    assert str(told.end) == "reject"
    assert client.sent_bytes["body"] == 4 + 1 + wire.CHUNK


def test_bytes_and_round_trips_are_counted(start: Start) -> None:
    client = start(Protocol.NOHELO | Protocol.NR_CONN)
    client.greet()
    client.message("<a@b>", ["<c@d>"], [("A", " x")], b"12345")
    assert client.sent_bytes["negotiate"] == 4 + 1 + 12
    assert client.sent_bytes["mail"] == 4 + 1 + len("<a@b>\0")
    assert client.sent_bytes["body"] == 4 + 1 + 5
    assert client.round_trips == dict.fromkeys(["negotiate", "mail", "rcpt", "data", "header", "eoh", "body", "eom"], 1)


def test_raw_frames_go_out_as_they_are_and_the_filter_may_hang_up(start: Start) -> None:
    client = start()
    client.negotiate()
    client.send_frame(b"C", b"client\x004")
    with pytest.raises(ConnectionError):
        client.read_frame()


class Fake:
    """A filter that answers the negotiation and then writes what it was given, whatever it hears."""

    def __init__(self, path: Path, *frames: bytes) -> None:
        self._listener = socket.create_server(str(path), family=socket.AF_UNIX)
        self._frames = frames
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            for frame in self._frames:
                connection.recv(65536)
                connection.sendall(frame)
            while connection.recv(65536):
                pass

    def join(self) -> None:
        """Wait until the client has closed."""
        self._thread.join()


def negotiated(actions: int = 0, protocol: int = 0) -> bytes:
    """A filter's part of the negotiation."""
    return wire.frame(b"O", b"".join(number.to_bytes(4, "big") for number in (6, actions, protocol)))


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([negotiated(protocol=0x80000000)], id="a bit that was not offered"),
        pytest.param([wire.frame(b"c")], id="no negotiation at all"),
        pytest.param([negotiated(), wire.frame(b"h", b"A\0b\0")], id="a change before the end of the message"),
        pytest.param([negotiated(), wire.frame(b"s")], id="skip, which was not negotiated"),
        pytest.param([negotiated(), wire.frame(b"?")], id="an unknown answer"),
    ],
)
def test_a_filter_that_breaks_the_protocol_is_found_out(place: Path, frames: list[bytes]) -> None:
    fake = Fake(place / "fake", *frames)
    with MilterClient(place / "fake") as client, pytest.raises(ProtocolError):
        client.greet()
    fake.join()


def test_after_skip_no_more_of_the_same_is_sent(place: Path) -> None:
    fake = Fake(place / "fake", negotiated(protocol=Protocol.SKIP), wire.frame(b"s"), wire.frame(b"c"))
    with MilterClient(place / "fake") as client:
        client.negotiate()
        assert [client.header("A", " b").sent, client.header("A", " b").sent, client.eoh().sent] == [True, False, True]
    fake.join()


def test_a_change_that_was_not_negotiated_is_found_out(place: Path) -> None:
    fake = Fake(place / "fake", negotiated(actions=Action.ADDHDRS, protocol=0x1FFFFF), wire.frame(b"-", b"<a@b>\0"))
    with MilterClient(place / "fake") as client:
        client.greet()
        with pytest.raises(ProtocolError, match="not negotiated"):
            client.eom()
    fake.join()


def test_a_silent_filter_is_not_waited_for_for_ever(place: Path) -> None:
    fake = Fake(place / "fake", negotiated())
    with MilterClient(place / "fake", timeout=0.05) as client, pytest.raises(TimeoutError):
        client.greet()
    fake.join()


def test_an_answer_reads_as_its_reply_or_its_kind() -> None:
    assert str(Answer("reply", "550 5.7.1 no")) == "550 5.7.1 no"
    assert str(Answer("tempfail")) == "tempfail"
