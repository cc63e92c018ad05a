"""An SMTP client that shows every reply as it came, and sends anything at all."""

from __future__ import annotations

import base64
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from rig import wait
from rig.wire import Text, as_bytes, as_text


@dataclass(frozen=True)
class SmtpReply:
    """One reply.  str() is "250 2.1.0 Ok"; of several lines the texts are separated by LF."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class SmtpClient:
    """One connection, from the address `source` (127.0.0.2, …); `banner` is the server's greeting.

    A server that closes raises ConnectionError, one that is silent for `timeout` seconds TimeoutError.
    """

    def __init__(
        self, port: int, *, host: str = "127.0.0.1", source: str | None = None, timeout: float = wait.AMPLE
    ) -> None:
        self._socket: socket.socket = socket.create_connection((host, port), timeout, source and (source, 0))
        self._input = self._socket.makefile("rb")
        self.banner = self.reply()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Break the connection."""
        self._input.close()
        self._socket.close()

    def fileno(self) -> int:
        """For select(2): readable if there is a reply that has not been read."""
        return self._socket.fileno()

    def send(self, data: Text) -> None:
        """Any bytes at all, as they are."""
        self._socket.sendall(as_bytes(data))

    def reply(self) -> SmtpReply:
        """The next reply."""
        return read_reply(self._input)

    def command(self, line: Text) -> SmtpReply:
        """One command line (without CRLF) and its reply."""
        self.send(as_bytes(line) + b"\r\n")
        return self.reply()

    def pipeline(self, *lines: Text) -> list[SmtpReply]:
        """Several commands in one packet (RFC 2920) and their replies."""
        self.send(b"".join(as_bytes(line) + b"\r\n" for line in lines))
        return [self.reply() for _ in lines]

    def ehlo(self, name: Text = "client.out.test") -> SmtpReply:
        """EHLO."""
        return self.command(b"EHLO " + as_bytes(name))

    def xclient(self, **attributes: str) -> SmtpReply:
        """Play another client: ADDR, NAME, PORT, HELO, LOGIN, DESTADDR, DESTPORT, …; EHLO is needed before and after.

        ADDR of IPv6 is written IPV6:2001:db8::1.
        """
        return self.command("XCLIENT " + " ".join(f"{name}={value}" for name, value in attributes.items()))

    def starttls(self, certificate: Path, host: str = "mx.rig.test") -> SmtpReply:
        """STARTTLS, with the server's certificate as the only one to trust; EHLO is needed again."""
        reply = self.command("STARTTLS")
        if reply.code == 220:
            self.secure(certificate, host=host)
        return reply

    def secure(self, authority: Path, own: Path | None = None, *, host: str = "mx.rig.test") -> None:
        """The handshake after STARTTLS; `own` is our certificate with its key, if there is one."""
        context = ssl.create_default_context(cafile=str(authority))
        if own is not None:
            context.load_cert_chain(own)
        self._input.close()
        self._socket = context.wrap_socket(self._socket, server_hostname=host)
        self._input = self._socket.makefile("rb")

    def auth(self, name: str, password: str) -> SmtpReply:
        """AUTH PLAIN."""
        return self.command(b"AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode()))

    def mail(self, sender: Text, *params: Text) -> SmtpReply:
        """MAIL FROM: the argument as it is to be typed (`<a@b>`)."""
        return self.command(b" ".join([b"MAIL FROM:" + as_bytes(sender), *map(as_bytes, params)]))

    def rcpt(self, recipient: Text, *params: Text) -> SmtpReply:
        """RCPT TO."""
        return self.command(b" ".join([b"RCPT TO:" + as_bytes(recipient), *map(as_bytes, params)]))

    def data(self, message: Text) -> SmtpReply:
        """DATA and the message with dots stuffed; the reply to DATA when that is not 354, else the final one."""
        first = self.command("DATA")
        return self.content(message) if first.code == 354 else first

    def content(self, message: Text) -> SmtpReply:
        """The message with dots stuffed, the final dot, and the reply; a last line without CRLF gets one."""
        data = as_bytes(message)
        stuffed = (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]
        ended = stuffed if stuffed.endswith(b"\r\n") or not stuffed else stuffed + b"\r\n"
        self.send(ended + b".\r\n")
        return self.reply()

    def quit(self) -> SmtpReply:
        """QUIT, and close."""
        reply = self.command("QUIT")
        self.close()
        return reply

    def transaction(self, sender: Text, *recipients: Text, message: Text) -> list[SmtpReply]:
        """MAIL, every RCPT, and DATA when a recipient was taken: all replies; RSET when there was none."""
        replies = [self.mail(sender)]
        if replies[0].code == 250:
            replies += [self.rcpt(recipient) for recipient in recipients]
        if any(reply.code == 250 for reply in replies[1:]):
            return [*replies, self.data(message)]
        self.command("RSET")
        return replies


def greets(port: int) -> bool:
    """True if an SMTP server at that port of 127.0.0.1 greets clients with 220."""
    try:
        with SmtpClient(port, timeout=5) as client:
            return client.banner.code == 220
    except OSError:
        return False


def read_reply(stream: IO[bytes]) -> SmtpReply:
    """The next reply.  Raises ConnectionError when the server has closed."""
    lines: list[str] = []
    while True:
        line = stream.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError(f"the server closed the connection after {lines or line!r}")
        text = as_text(line).rstrip("\r\n")
        lines.append(text[4:])
        if text[3:4] != "-":
            return SmtpReply(int(text[:3]), "\n".join(lines))
