"""Sends a held message back to the MTA over SMTP, byte for byte, to the recipients from which it was held."""

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
# RFC 5321 §2.3.8: a server that accepts a bare LF, or a dot between CRs, as the end of a line would see another
# message ("SMTP smuggling").
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r\.\r")
_LAST_WORD = re.compile(r"[245][0-5][0-9] ")  # RFC 5321 §4.2: the replies that are final for a message
_DOT_ON_TOP = re.compile(rb"\A\.|(?<=\r\n)\.")  # RFC 5321 §4.5.2: a dot at the start of a line is doubled


@dataclass(frozen=True, slots=True)
class NextHop:
    """An SMTP server that accepts mail without asking this filter; `timeout` in seconds for each reply."""

    host: str
    port: int
    helo: str
    timeout: float = 60.0


@dataclass(slots=True)
class Sent:
    """The next hop's reply for each recipient, and the ESMTP parameters that it did not accept."""

    replies: dict[Addressed, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def taken(self) -> list[Addressed]:
        """The recipients for which the next hop has accepted the message."""
        return [recipient for recipient, reply in self.replies.items() if reply.startswith("2")]


class NotSent(Exception):
    """The message was accepted for no recipient; the text gives the reason."""


class Unknown(Exception):
    """The connection was lost between the end of the message and its reply: only the MTA's log shows what happened."""


def send(
    hop: NextHop,
    sender: Addressed,
    recipients: Sequence[Addressed],
    message: bytes,
    before_data: Callable[[Iterable[Addressed]], None],
    client: OriginalClient | None = None,
) -> Sent:
    """Send `message` to `hop`, and return its replies.

    `before_data` is called with the accepted recipients before the message is sent: what happens after that must be
    on record.  If the hop offers XCLIENT, it receives the `client`.  Raises NotSent and Unknown, and what
    `before_data` raises.
    """
    _require_speakable(message, sender, *recipients)
    needed = needs(sender, recipients, message)
    try:
        with closing(_Dialogue(hop, needed)) as dialogue:
            refusal = dialogue.introduce(client) if client else ""
            if not refusal:
                return dialogue.send(sender, recipients, message, before_data)
        # A refused XCLIENT leaves the session in an unknown state, so the message is sent in a new one.
        with closing(_Dialogue(hop, needed)) as dialogue:
            sent = dialogue.send(sender, recipients, message, before_data)
            sent.lost.append(f"XCLIENT ({refusal})")
            return sent
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"{hop.host}:{hop.port}: {_reason(error)}") from error


class _Dialogue:
    """One session with the next hop, after EHLO and, if the message requires it, STARTTLS."""

    def __init__(self, hop: NextHop, needed: Needs) -> None:
        # Not used as a context manager: its QUIT would hide that the server has closed the connection.
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
        """Close the connection without QUIT."""
        self._server.close()

    def introduce(self, client: OriginalClient) -> str:
        """Pass on the original client with XCLIENT, if the hop offers it.  Returns the reply if it failed, else ""."""
        command = client.command(self._server.esmtp_features.get("xclient", ""))
        if not command:
            return ""
        try:
            reply = self._command(command)
            if reply.startswith("2"):
                # XCLIENT_README: the session starts over, and the hop may offer other extensions now.
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
            raise NotSent(f"{self._hop.host}:{self._hop.port}: {unmet}; use another next hop, or export the message")
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
        """The reply to the message, or to DATA if the server refuses there."""
        reply = self._command("DATA")
        if not reply.startswith("3"):
            # RFC 5321 §4.3.2: without 354 the message may not be sent, so the outcome is certain.
            return reply if reply[:1] in "45" else f"554 5.5.1 invalid reply to DATA: {reply}"
        self._server.send(_stuffed(message))
        try:
            # Once the final dot is sent, the server may have accepted the message even if the connection breaks.
            self._server.send(b".\r\n")
            reply = self._reply()
        except (OSError, smtplib.SMTPException) as error:
            raise Unknown(f"the connection was lost after the message: {_reason(error)}") from error
        if not _LAST_WORD.match(reply):
            raise Unknown(f"invalid reply to the message: {reply}")
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
        with suppress(OSError, smtplib.SMTPException):  # every reply that matters has been received
            self._server.quit()


def _require_speakable(message: bytes, *addresses: Addressed) -> None:
    for addressed in addresses:
        words = " ".join((addressed.text, *addressed.parameters)).encode(errors="surrogateescape")
        if _UNSPEAKABLE.search(words):
            raise NotSent(f"{addressed.address!a}: the address contains a line end or NUL")
    if _BARE_LINE_END.search(message):
        raise NotSent(
            "the message contains line ends other than CRLF, which SMTP cannot carry unchanged: export it instead"
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
