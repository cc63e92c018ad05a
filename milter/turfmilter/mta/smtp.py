"""The way back into the MTA: one held message over SMTP, byte for byte, to the recipients that it was held from."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from turfmilter.core.address.addressed import Addressed
from turfmilter.mta.parameters import Needs, lost, mail, needs, rcpt
from turfmilter.mta.xclient import OriginalClient

_UNSPEAKABLE = re.compile(rb"[\r\n\0]")
# RFC 5321 §2.3.8: a server that takes a bare LF, or a dot between CRs, for the end of a line would see another message.
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r\.\r")
_LAST_WORD = re.compile(r"[245][0-5][0-9] ")  # RFC 5321 §4.2: what a server can say of a message
_DOT_ON_TOP = re.compile(rb"\A\.|(?<=\r\n)\.")  # RFC 5321 §4.5.2


@dataclass(frozen=True, slots=True)
class NextHop:
    """An SMTP server that passes mail on without this filter; `timeout` in seconds."""

    host: str
    port: int
    helo: str
    timeout: float = 60.0


@dataclass(slots=True)
class Sent:
    """What the next hop said, recipient by recipient, and the parameters that it did not take."""

    replies: dict[Addressed, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def taken(self) -> list[Addressed]:
        """The recipients for whom the next hop has taken the message."""
        return [recipient for recipient, reply in self.replies.items() if reply.startswith("2")]


class NotSent(Exception):
    """The message was taken for nobody; the text says why."""


class Unknown(Exception):
    """The connection broke between the end of the message and the reply to it: only the MTA's log knows."""


def send(
    hop: NextHop,
    sender: Addressed,
    recipients: Sequence[Addressed],
    message: bytes,
    before_data: Callable[[Iterable[Addressed]], None],
    client: OriginalClient | None = None,
) -> Sent:
    """Give `message` to `hop`; `before_data` is called with the recipients that it took, before the message goes.

    A hop that offers XCLIENT is told the `client`.  Raises NotSent and Unknown, and what `before_data` raises.
    """
    _require_speakable(message, sender, *recipients)
    needed = needs(sender, recipients, message)
    try:
        with closing(_Dialogue(hop, needed)) as dialogue:
            refusal = dialogue.introduce(client) if client else ""
            if not refusal:
                return dialogue.send(sender, recipients, message, before_data)
        # Whatever state that has left the session in, the message goes in another one.
        with closing(_Dialogue(hop, needed)) as dialogue:
            sent = dialogue.send(sender, recipients, message, before_data)
            sent.lost.append(f"XCLIENT ({refusal})")
            return sent
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"{hop.host}:{hop.port}: {_reason(error)}") from error


class _Dialogue:
    """One session, after EHLO and, where the message needs it, STARTTLS."""

    def __init__(self, hop: NextHop, needed: Needs) -> None:
        # Not as a context manager: its QUIT would hide that the server is gone.
        self._server = smtplib.SMTP(hop.host, hop.port, local_hostname=hop.helo, timeout=hop.timeout)
        self._hop = hop
        self._needed = needed
        self._encrypted = False
        try:
            self._server.ehlo_or_helo_if_needed()
            if needed.tls and self._server.has_extn("starttls"):
                # RFC 8689 §4.2.1: the server's certificate must be valid for its name.
                self._server.starttls(context=ssl.create_default_context())
                self._server.ehlo_or_helo_if_needed()
                self._encrypted = True
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        self._server.close()

    def introduce(self, client: OriginalClient) -> str:
        """Tell the hop who the client was, if it wants to know.  What it said if it did not accept that, else ""."""
        command = client.command(self._server.esmtp_features.get("xclient", ""))
        if not command:
            return ""
        try:
            reply = self._command(command)
            if reply.startswith("2"):
                # The session begins again, and may offer something else now.
                code, text = self._server.ehlo(client.ehlo(self._hop.helo))
                reply = f"{code} {_one_line(text)}"
        except (OSError, smtplib.SMTPException) as error:
            return _reason(error)
        return "" if reply.startswith("2") else reply

    def send(
        self,
        sender: Addressed,
        recipients: Sequence[Addressed],
        message: bytes,
        before_data: Callable[[Iterable[Addressed]], None],
    ) -> Sent:
        extensions, sent = self._server.esmtp_features, Sent()
        if unmet := self._needed.unmet(extensions, encrypted=self._encrypted):
            raise NotSent(f"{self._hop.host}:{self._hop.port}: {unmet}; send it by another one, or export it")
        size = f" SIZE={len(message)}" if "size" in extensions else ""
        self._require("2", f"MAIL FROM:{mail(sender, self._needed, extensions)}{size}")
        for recipient in recipients:
            sent.replies[recipient] = self._command(f"RCPT TO:{rcpt(recipient, extensions)}")
        sent.lost = lost((sender, *recipients), extensions)
        if taken := sent.taken:
            before_data(taken)
            sent.replies |= dict.fromkeys(taken, self._data(message))
        self._farewell()
        return sent

    def _data(self, message: bytes) -> str:
        """The reply to the message; that to DATA if the server does not want it."""
        reply = self._command("DATA")
        if not reply.startswith("3"):
            # RFC 5321 §4.3.2: without 354 nothing may be sent, and nothing was.
            return reply if reply[:1] in "45" else f"554 5.5.1 no reply to DATA: {reply}"
        self._server.send(_stuffed(message))
        try:
            # From the last line on the server may have taken the message, whatever becomes of the connection.
            self._server.send(b".\r\n")
            reply = self._reply()
        except (OSError, smtplib.SMTPException) as error:
            raise Unknown(f"the connection broke after the message: {_reason(error)}") from error
        if not _LAST_WORD.match(reply):
            raise Unknown(f"no reply to the message: {reply}")
        return reply

    def _require(self, good: str, command: str) -> None:
        reply = self._command(command)
        if not reply.startswith(good):
            raise NotSent(f"{command.partition(':')[0]}: {reply}")

    def _command(self, line: str) -> str:
        self._server.send(line.encode(errors="surrogateescape") + b"\r\n")
        return self._reply()

    def _reply(self) -> str:
        code, text = self._server.getreply()
        return f"{code} {_one_line(text)}"

    def _farewell(self) -> None:
        with suppress(OSError, smtplib.SMTPException):  # every reply that counts has been heard
            self._server.quit()


def _require_speakable(message: bytes, *addresses: Addressed) -> None:
    for addressed in addresses:
        words = " ".join((addressed.text, *addressed.parameters)).encode(errors="surrogateescape")
        if _UNSPEAKABLE.search(words):
            raise NotSent(f"{addressed.address!a}: a line end or NUL in the address")
    if _BARE_LINE_END.search(message):
        raise NotSent(
            "the message holds line ends that are no CRLF, which SMTP cannot carry unchanged: export it instead"
        )


def _one_line(text: bytes) -> str:
    return " ".join(text.decode(errors="replace").split())


def _stuffed(message: bytes) -> bytes:
    ended = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    return _DOT_ON_TOP.sub(b"..", ended)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
