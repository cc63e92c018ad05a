"""An SMTP server with scripted replies, which can close at any point: what a next hop can do to a release."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from rig.server import Server

CLOSE = "close"  # instead of a reply

_USUAL = {
    "EHLO": "250-next.rig.test\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 go on",
    ".": "250 2.0.0 Ok: queued as 4711",
    "QUIT": "221 2.0.0 Bye",
}


class ScriptedNextHop(Server):
    """Serves one connection after another on a loopback port, in a thread.

    `replies` are by the longest beginning of the command that fits ("RCPT TO:<b@"), "" the greeting and "." the end
    of the message.  `commands` are what clients sent, `messages` what came between DATA and ".", unchanged.
    With a `certificate` STARTTLS is served, and "EHLO tls" among the `replies` is the one to EHLO from then on.
    `meanwhile` is called with the command, or "." at the end of a message; what it returns is the reply, unless None.
    """

    def __init__(
        self,
        replies: Mapping[str, str] | None = None,
        *,
        certificate: Path | None = None,
        meanwhile: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._meanwhile = meanwhile
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
        if self._tls and certificate:
            self._tls.load_cert_chain(certificate)
        self._replies = {"": "220 next.rig.test ESMTP", **_USUAL, **(replies or {})}
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Serve; connections have been accepted since it was created."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and end the thread."""
        # Closing alone would not wake up a thread that waits in accept().
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client, client.makefile("rb") as lines, contextlib.suppress(ConnectionError, ssl.SSLError):
                self._serve(client, lines)

    def _serve(self, client: socket.socket, lines: BinaryIO, command: str = "") -> None:
        reply = self._reply(command)
        while reply != CLOSE:
            client.sendall(reply.encode() + b"\r\n")
            if reply.startswith("3"):
                message = _message(lines)
                if message is None:
                    return
                self.messages.append(message)
                reply = self._reply(".")
                continue
            if reply.startswith(("221", "421")) or not (line := lines.readline()):
                return
            command = line.decode(errors="surrogateescape").removesuffix("\r\n")
            self.commands.append(command)
            if command == "STARTTLS" and self._tls:
                self._secure(client, self._tls)
                return
            reply = self._reply(command)

    def _secure(self, client: socket.socket, tls: ssl.SSLContext) -> None:
        client.sendall(b"220 2.0.0 go on\r\n")
        with tls.wrap_socket(client, server_side=True) as secured, secured.makefile("rb") as lines:
            self._replies["EHLO"] = self._replies["EHLO tls"]
            command = lines.readline().decode().removesuffix("\r\n")
            self.commands.append(command)
            self._serve(secured, lines, command)

    def _reply(self, command: str) -> str:
        if (instead := self._meanwhile(command)) is not None:
            return instead
        # smtplib sends "ehlo".
        said = command[:4].upper() + command[4:]
        fitting = [start for start in self._replies if said.startswith(start) and bool(start) is bool(said)]
        return self._replies[max(fitting, key=len)] if fitting else "500 5.5.2 what?"


def _message(lines: BinaryIO) -> bytes | None:
    """None if the client disconnects before the end: such a message must be discarded (RFC 5321 §4.1.1.4)."""
    message = b""
    for line in lines:
        if line == b".\r\n":
            return message
        message += line
    return None
