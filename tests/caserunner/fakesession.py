"""An SMTP session with the fake MTA: commands become events for the filter, and its answers become replies."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from caserunner.fakemessage import Message, resolve
from caserunner.mailhost import ACCOUNTS, Listener
from rig.answer import Answer
from rig.milterclient import MilterClient
from rig.sink import Delivery
from rig.smtp import SmtpReply

_UNAVAILABLE = "451 4.7.1 Service unavailable - try again later"
_MISSING = {
    "tempfail": Answer("reply", _UNAVAILABLE),
    "accept": Answer("accept"),
    "reject": Answer("reply", "550 5.5.0 Service unavailable"),
    "close": Answer("reply", "421 4.7.0 closing connection"),
}
_GENERIC = {"reject": "550 5.7.1 Command rejected", "tempfail": _UNAVAILABLE}
_TLS = {"tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "cipher_bits": "256"}


class FakeSession:
    """One session; the messages that it accepts are added to `delivered`."""

    def __init__(self, milter: str, listener: Listener, client: str, delivered: list[Delivery]) -> None:
        self._missing = _MISSING[listener.missing]
        self._delivered = delivered
        self._input = b""
        self._replies: list[str] = []
        self._closed = False
        self._message: Message | None = None
        self._in_data = False
        self._chunk: tuple[int, bool] | None = None  # the size that BDAT announced, and whether it is the last
        self._chunks = b""
        self._commands: dict[str, Callable[[str], None]] = {
            "EHLO": self._ehlo,
            "HELO": self._ehlo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "BDAT": self._bdat,
            "RSET": self._rset,
            "NOOP": lambda _: self._say("250 2.0.0 Ok"),
            "STARTTLS": lambda _: self._say("220 2.0.0 go on"),
            "AUTH": self._auth,
            "QUIT": self._quit,
        }
        self._filter = _attached(milter, listener.patience)
        self._greet(listener, client)
        self.banner = self.reply()

    def send(self, data: bytes) -> None:
        """Commands and messages, as they come."""
        self._input += data
        while not self._closed and self._take():
            pass

    def reply(self) -> SmtpReply:
        """The next reply.  Raises ConnectionError when there is none."""
        if not self._replies:
            raise ConnectionError("the fake MTA " + ("has closed" if self._closed else "has nothing to say"))
        code, _, text = self._replies.pop(0).partition(" ")
        return SmtpReply(int(code), text)

    def secure(self, _authority: Path, own: Path | None = None) -> None:
        """TLS as the filter learns of it."""
        known = {"cert_subject": "client.out.test", "cert_issuer": "client.out.test"} if own else {}
        if self._filter is not None:
            self._filter.macros.learn({**_TLS, **known, "auth_type": None, "auth_authen": None})
        self._drop()

    def close(self) -> None:
        """Disconnect."""
        if self._filter is not None:
            self._filter.close()
        self._closed = True

    def _greet(self, listener: Listener, client: str) -> None:
        shown = {
            "daemon_name": listener.daemon,
            "daemon_addr": listener.address,
            "daemon_port": str(listener.port),
        }
        answer = self._ask(lambda filter_: filter_.connect(f"[{client}]", client, macros=shown))
        if answer.kind == "accept":  # the whole connection is exempt
            self._filter, self._missing = None, answer
        self._refused = answer if answer.refuses else None
        final = str(answer).startswith(("reject", "5"))
        banner = "554 mx.rig.test ESMTP not accepting connections" if final else "220 mx.rig.test ESMTP fake"
        self._say(answer.text if answer.text.startswith("421") else banner)

    def _ask(self, question: Callable[[MilterClient], Answer]) -> Answer:
        """The filter's answer, or what the listener does without it for the rest of the session."""
        if self._filter is None:
            return self._missing
        try:
            return question(self._filter)
        except OSError:
            self._filter.close()
            self._filter = None
            return self._missing

    def _asked_of(self, message: Message, question: Callable[[MilterClient], Answer]) -> Answer:
        """The same of a message, unless the filter has done with it."""
        answer = Answer("accept") if message.exempt else self._ask(question)
        message.note(answer)
        return answer

    def _say(self, reply: str) -> None:
        self._replies.append(reply)
        if reply.startswith("421"):
            self.close()

    def _answer(self, answer: Answer, good: str) -> bool:
        """Say what an answer means; True when it lets pass."""
        self._say(_GENERIC.get(answer.kind, answer.text) if answer.refuses else good)
        return not answer.refuses

    def _take(self) -> bool:
        """Take one command, or the message; False when more must come first."""
        if self._in_data:
            return self._take_content()
        if self._chunk is not None:
            return self._take_chunk(*self._chunk)
        line, end, rest = self._input.partition(b"\r\n")
        if not end:
            return False
        self._input = rest
        verb, _, argument = line.decode("utf-8", "surrogateescape").partition(" ")
        command = self._commands.get(verb.upper())
        if command is None:
            self._say("500 5.5.2 unknown command")
        else:
            command(argument)
        return True

    def _ehlo(self, name: str) -> None:
        self._drop()
        self._ask(lambda filter_: filter_.helo(name))
        self._say("250 mx.rig.test")

    def _mail(self, argument: str) -> None:
        if self._message is not None:
            self._say("503 5.5.1 nested MAIL")
            return
        sender, *params = _words(argument)
        claim = {"auth_author": next((word[5:] for word in params if word.upper().startswith("AUTH=")), None)}
        answer = self._refused or self._ask(lambda filter_: filter_.mail(sender, *params, macros=claim))
        if self._answer(answer, "250 2.1.0 Ok"):
            self._message = Message(sender)
            self._message.note(answer)

    def _rcpt(self, argument: str) -> None:
        message = self._message
        if message is None:
            self._say("503 5.5.1 need MAIL")
            return
        recipient, *params = _words(argument)
        seen = {"rcpt_addr": resolve(recipient).lower()}
        answer = self._asked_of(message, lambda filter_: filter_.rcpt(recipient, *params, macros=seen))
        if self._answer(answer, "250 2.1.5 Ok"):
            message.recipients.append(recipient)

    def _data(self, _argument: str) -> None:
        if self._message is None or not self._message.recipients:
            self._say("554 5.5.1 no valid recipients")
        elif self._filter is None and not self._message.exempt:
            self._in_data = self._answer(self._missing, "354 go on")
        else:
            self._in_data = True
            self._say("354 go on")

    def _bdat(self, argument: str) -> None:
        size, *last = argument.split()
        if self._message is None or not self._message.recipients:
            self._say("503 5.5.1 need RCPT")
        else:
            self._chunk = (int(size), bool(last))

    def _take_chunk(self, size: int, last: bool) -> bool:
        if len(self._input) < size:
            return False
        self._chunks += self._input[:size]
        self._input, self._chunk = self._input[size:], None
        if last:
            data, self._chunks = self._chunks, b""
            self._finish(data)
        else:
            self._say("250 2.0.0 Ok")
        return True

    def _take_content(self) -> bool:
        content, end, rest = (b"\r\n" + self._input).partition(b"\r\n.\r\n")
        if not end:
            return False
        self._input, self._in_data = rest, False
        self._finish((content + b"\r\n").replace(b"\r\n..", b"\r\n.")[2:])
        return True

    def _finish(self, data: bytes) -> None:
        message, self._message = self._message, None
        assert message is not None
        answer = self._asked_of(message, lambda filter_: message.show(filter_, data))
        if self._answer(answer, "250 2.0.0 Ok: queued"):
            self._delivered += message.delivered(data, answer.changes)

    def _rset(self, _argument: str) -> None:
        self._drop()
        self._say("250 2.0.0 Ok")

    def _auth(self, argument: str) -> None:
        kind, _, secret = argument.partition(" ")
        _, name, password = (base64.b64decode(secret).decode() + "\0\0").split("\0")[:3]
        if kind == "PLAIN" and ACCOUNTS.get(name) != password:
            self._say("535 5.7.8 authentication failed")
            return
        if self._filter is not None:
            self._filter.macros.learn({"auth_type": kind, "auth_authen": name if kind == "PLAIN" else "anonymous"})
        self._say("235 2.7.0 authenticated")

    def _quit(self, _argument: str) -> None:
        self._say("221 2.0.0 bye")
        self.close()

    def _drop(self) -> None:
        """Forget the transaction."""
        if self._message is not None and self._filter is not None:
            self._filter.abort()
        self._message = None


def _attached(milter: str, patience: float) -> MilterClient | None:
    try:
        client = MilterClient(milter, timeout=patience)
        client.negotiate()
    except OSError:
        return None
    return client


def _words(argument: str) -> list[str]:
    """The address of MAIL FROM: or RCPT TO: with its brackets, and the parameters."""
    text = argument.partition(":")[2].strip()
    address, bracket, rest = text.rpartition(">")
    return [address + bracket, *rest.split()] if bracket else text.split()
