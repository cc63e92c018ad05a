"""The SMTP sink and the SMTP client, against each other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from rig.sink import Sink
from rig.smtp import SmtpClient


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"Subject: x\r\n\r\nhello\r\n", id="plain"),
        pytest.param(b"A: b\r\n\r\n.\r\n..\r\n.x\r\nx.\r\n", id="dots at the start of lines"),
        pytest.param(b".A: b\r\n", id="a dot first of all"),
        pytest.param(b"A: \xff\xfe\r\n\r\n\x80\x01\r\n", id="bytes that are no UTF-8"),
        pytest.param(b"A: b\r\n\r\n" + b"x" * 200_000 + b"\r\n", id="a long line"),
        pytest.param(b"A: b\r\n\r\nend in blanks  \t\r\n\r\n\r\n", id="blanks and empty lines at the end"),
    ],
)
def test_the_sink_keeps_every_byte(sink: Sink, message: bytes) -> None:
    with SmtpClient(sink.port) as client:
        client.ehlo()
        client.transaction("<a@out.test>", "<b@rig.test>", message=message)
    assert sink.wait_for(1)[0].data == message


def test_the_sink_keeps_the_envelope(sink: Sink) -> None:
    with SmtpClient(sink.port) as client:
        client.ehlo("me.out.test")
        client.mail("<a@out.test>", "SIZE=77", "SMTPUTF8")
        client.rcpt("<b@rig.test>")
        client.rcpt("<grüß@rig.test>")
        client.data("Subject: x\r\n\r\n")
    delivery = sink.wait_for(1)[0]
    assert delivery.helo == "me.out.test"
    assert (delivery.sender, delivery.params) == ("a@out.test", ("SIZE=77", "SMTPUTF8"))
    assert delivery.recipients == ("b@rig.test", "grüß@rig.test")


def test_messages_come_in_order_and_can_be_forgotten(sink: Sink) -> None:
    with SmtpClient(sink.port) as client:
        client.ehlo()
        for number in range(3):
            client.transaction("<>", "<b@rig.test>", message=f"Number: {number}\r\n")
    assert [delivery.data for delivery in sink.wait_for(3)] == [f"Number: {n}\r\n".encode() for n in range(3)]
    sink.clear()
    assert sink.deliveries == []


def test_waiting_for_what_never_comes_ends(sink: Sink) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 messages"):
        sink.wait_for(1, seconds=0.01)


def test_a_stopped_sink_leaves_neither_thread_nor_listener() -> None:
    before = set(threading.enumerate())
    with Sink() as sink:
        port = sink.port
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


class Server:
    """Says the given bytes to whoever connects, and remembers from where."""

    def __init__(self, said: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.peer = ""
        self._thread = threading.Thread(target=self._serve, args=(said,))
        self._thread.start()

    def _serve(self, said: bytes) -> None:
        connection, (self.peer, _) = self._listener.accept()
        with self._listener, connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    def join(self) -> None:
        """Wait until the client has closed."""
        self._thread.join()


def test_replies_are_shown_as_they_came() -> None:
    server = Server(b"220 hello\r\n250-a\r\n250 b \xe9\r\n550 5.7.1 no\r\n421\r\n")
    with SmtpClient(server.port, source="127.0.0.2") as client:
        assert str(client.banner) == "220 hello"
        first, second, third = client.pipeline("EHLO x", "MAIL FROM:<>", "RSET")
        assert (first.code, first.text) == (250, "a\nb \udce9")
        assert str(second) == "550 5.7.1 no"
        assert (third.code, third.text) == (421, "")
        with pytest.raises(ConnectionError):
            client.reply()
    server.join()
    assert server.peer == "127.0.0.2"
