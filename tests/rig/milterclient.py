"""An MTA's side of the milter protocol, version 6: it obeys what the filter negotiated, as Postfix and Sendmail do."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rig import wait, wire
from rig.answer import Answer, ProtocolError
from rig.link import Link
from rig.macros import Macros
from rig.transcript import Transcript
from rig.wire import Action, Event, Protocol, Stage, Text, as_bytes, strings

Macro = Mapping[str, Text | None]
Argument = Text | Sequence[Text]  # a text, or the text and its ESMTP parameters


class MilterClient(Link):
    """The MTA's end of one milter connection.

    `actions` and `protocol` are what this MTA offers, and after negotiate() what the filter chose of them.
    Texts are str or bytes; macro names come without braces.
    """

    def __init__(
        self,
        address: str | Path,
        *,
        actions: Action = wire.ALL_ACTIONS,
        protocol: Protocol = wire.ALL_PROTOCOL,
        timeout: float = wait.AMPLE,
    ) -> None:
        super().__init__(address, timeout=timeout)
        self.actions = actions
        self.protocol = protocol
        self.macros = Macros()
        self._exempt: Answer | None = None
        self._skipped: Event | None = None

    def negotiate(self) -> None:
        """Offer `actions` and `protocol`, and take over the filter's choice and its lists of macros."""
        self.send_frame(b"O", struct.pack("!III", wire.VERSION, self.actions, self.protocol), "negotiate")
        command, payload = self.read_frame()
        self.round_trips["negotiate"] += 1
        if command != b"O" or len(payload) < 12:
            raise ProtocolError(f"no answer to the negotiation: {command!r} {payload!r}")
        version, actions, protocol = struct.unpack("!III", payload[:12])
        if version > wire.VERSION or actions & ~int(self.actions) or protocol & ~int(self.protocol):
            raise ProtocolError(f"asked for what was not offered: version {version} {actions:#x} {protocol:#x}")
        self.actions, self.protocol = Action(actions), Protocol(protocol)
        self.macros.take_requests(payload[12:])

    def connect(
        self,
        name: Text = "client.out.test",
        address: Text | None = "192.0.2.9",
        port: int = 40000,
        *,
        macros: Macro | None = None,
    ) -> Answer:
        """The client.  `name` [192.0.2.9] is one without a name; an address with / is a unix socket, None unknown."""
        if address is not None and port:
            self.macros.client(as_bytes(name), as_bytes(address), port)
        return self._session(wire.CONNECT, strings(name) + _peer(address, port), macros)

    def helo(self, name: Text = "client.out.test", *, macros: Macro | None = None) -> Answer:
        """HELO or EHLO."""
        return self._session(wire.HELO, strings(name), macros)

    def greet(
        self,
        name: Text = "client.out.test",
        address: Text | None = "192.0.2.9",
        port: int = 40000,
        *,
        helo: Text | None = None,
        macros: Macro | None = None,
    ) -> Answer:
        """negotiate, connect and helo; the answer that ended them, else that to helo."""
        self.negotiate()
        answer = self.connect(name, address, port, macros=macros)
        return self.helo(name if helo is None else helo) if answer.goes_on else answer

    def mail(self, sender: Text, *params: Text, macros: Macro | None = None) -> Answer:
        """MAIL FROM: the argument as typed (`<a@b>`) and its ESMTP parameters."""
        self.macros.new_message()
        self.macros.learn({"mail_addr": _bare(sender)})
        return self._event(wire.MAIL, strings(sender, *params), macros)

    def rcpt(self, recipient: Text, *params: Text, macros: Macro | None = None) -> Answer:
        """RCPT TO: the argument as typed and its ESMTP parameters."""
        self.macros.learn({"rcpt_addr": _bare(recipient)})
        answer = self._event(wire.RCPT, strings(recipient, *params), macros)
        if not answer.refuses:
            self.macros.recipient_taken()
        return answer

    def data(self) -> Answer:
        """DATA."""
        return self._event(wire.DATA, b"")

    def header(self, name: Text, value: Text) -> Answer:
        """One header field; `value` is everything after the colon, including the blank, lines separated by LF."""
        data = as_bytes(value)
        if not self.protocol & Protocol.HDR_LEADSPC:
            data = data.removeprefix(b" ")  # MTAs eat the first blank, not a tab
        return self._event(wire.HEADER, strings(name, data))

    def eoh(self) -> Answer:
        """The end of the headers."""
        return self._event(wire.EOH, b"")

    def body(self, data: bytes) -> Answer:
        """The body in chunks, up to the filter's SKIP or final answer."""
        answer = _unsent()
        for start in range(0, len(data), wire.CHUNK):
            answer = self._event(wire.BODY, data[start : start + wire.CHUNK])
            if answer.kind != "continue":
                break
        return answer

    def eom(self, *, macros: Macro | None = None) -> Answer:
        """The end of the message; only here may the answer bear changes."""
        return self._event(wire.EOM, b"", macros)

    def unknown(self, command: Text) -> Answer:
        """An SMTP command that the MTA does not know."""
        return self._event(wire.UNKNOWN, strings(command))

    def abort(self) -> None:
        """The end of a transaction without a message; never answered."""
        self.send_frame(b"A", b"", "abort")

    def quit(self) -> None:
        """The end of the session; returns when the filter has closed, so that its own close has run."""
        self.send_frame(b"Q", b"", "quit")
        unread = self.read_to_end()
        self.close()
        if unread:
            raise ProtocolError(f"the filter sent what was not asked for: {unread!r}")

    def message(
        self,
        sender: Argument,
        recipients: Iterable[Argument],
        headers: Iterable[tuple[Text, Text]] = (("Subject", " test"),),
        body: bytes = b"Hello.\r\n",
    ) -> Transcript:
        """One transaction: it stops where an MTA stops, and continues with the next recipient after a rejection."""
        transcript = Transcript()
        if self._exempt is not None:
            transcript.end = self._exempt
        elif not (self._envelope(transcript, sender, recipients) and self._content(transcript, headers, body)):
            self.abort()
        return transcript

    def _envelope(self, transcript: Transcript, sender: Argument, recipients: Iterable[Argument]) -> bool:
        if not transcript.note("mail", self.mail(*_parts(sender))):
            return False
        for recipient in recipients:
            answer = self.rcpt(*_parts(recipient))
            if not transcript.note("rcpt", answer) and not answer.refuses_one:
                return False
        return any(answer.goes_on for answer in transcript.rcpts)

    def _content(self, transcript: Transcript, headers: Iterable[tuple[Text, Text]], body: bytes) -> bool:
        if not transcript.note("data", self.data()):
            return False
        for name, value in headers:
            if not transcript.note("header", self.header(name, value)):
                return False
        going = transcript.note("eoh", self.eoh()) and transcript.note("body", self.body(body))
        if going:
            transcript.note("eom", self.eom())
        return going

    def _session(self, event: Event, payload: bytes, macros: Macro | None) -> Answer:
        answer = self._event(event, payload, macros)
        if not answer.goes_on and answer.kind != "discard":  # DISCARD before MAIL is CONTINUE to Postfix
            self._exempt = answer
        return answer

    def _event(self, event: Event, payload: bytes, macros: Macro | None = None) -> Answer:
        self.macros.learn(macros)
        if event is self._skipped:
            return _unsent()
        self._skipped = None
        if event.stage is not None:
            self._send_macros(event, event.stage)  # Postfix sends them for events that are switched off, too
        if event.off & self.protocol:
            return _unsent()
        self.send_frame(event.command, payload, event.name)
        if event.unanswered & self.protocol:
            return Answer("continue", answered=False)
        return self._answer(event)

    def _send_macros(self, event: Event, stage: Stage) -> None:
        macros = self.macros.at(stage)
        if macros:
            self.send_frame(b"D", event.command + strings(*macros), "macros")

    def _answer(self, event: Event) -> Answer:
        answer = self.read_answer(self.actions if event is wire.EOM else Action.NONE)
        self.round_trips[event.name] += 1
        if answer.kind == "skip":
            if not self.protocol & Protocol.SKIP:
                raise ProtocolError("SKIP was not negotiated")
            self._skipped = event
        return answer


def _unsent() -> Answer:
    return Answer("continue", sent=False, answered=False)


def _peer(address: Text | None, port: int) -> bytes:
    if address is None:
        return b"U"
    data = as_bytes(address)
    family = b"L" if b"/" in data or not data else b"6" if b":" in data else b"4"
    return family + struct.pack("!H", port) + strings(data)


def _parts(argument: Argument) -> Sequence[Text]:
    return (argument,) if isinstance(argument, str | bytes) else argument


def _bare(argument: Text) -> bytes:
    """A plain address as {rcpt_addr} shows it.  What hides in the text is for the caller to resolve (macros=)."""
    return as_bytes(argument).strip().removeprefix(b"<").removesuffix(b">").lower()
