"""Asks an SMTP server whether it would accept a recipient; never sends DATA."""

from __future__ import annotations

import smtplib
from collections.abc import Iterable, Iterator
from contextlib import suppress

from turfmilter.mta.smtp import NextHop

_PER_SESSION = 10  # recipients, after which a new connection is opened: servers limit errors per session


class NoAnswer(Exception):
    """The server cannot be asked; the text gives the reason."""


def probe(hop: NextHop, envelopes: Iterable[tuple[str, str]], *, source: str = "") -> Iterator[str]:
    """Yield the reply to RCPT for each (sender, recipient), as arguments of the commands; MAIL's if it is refused.

    The connection comes from the address `source`, "" for any.  A transaction ends with RSET, and a session with QUIT,
    so nothing is sent.  If the server closes a session, the next envelope is asked in a new one; the reply to one that
    is not answered begins with "000".  Raises NoAnswer if no session can be opened.
    """
    session: smtplib.SMTP | None = None
    asked = 0
    try:
        for sender, recipient in envelopes:
            if session is None or asked == _PER_SESSION:
                _end(session)
                session, asked = _opened(hop, source), 0
            asked += 1
            try:
                reply = _asked(session, sender, recipient)
            except (OSError, smtplib.SMTPException) as error:
                reply = f"000 {_reason(error)}"
            if not _forget(session):
                _end(session)
                session = None
            yield reply
    finally:
        _end(session)


def _opened(hop: NextHop, source: str) -> smtplib.SMTP:
    try:
        session = smtplib.SMTP(
            hop.host,
            hop.port,
            local_hostname=hop.helo,
            timeout=hop.timeout,
            source_address=(source, 0) if source else None,
        )
        session.ehlo_or_helo_if_needed()
    except (OSError, smtplib.SMTPException) as error:
        raise NoAnswer(f"{hop.host}:{hop.port}: {_reason(error)}") from None
    return session


def _asked(session: smtplib.SMTP, sender: str, recipient: str) -> str:
    reply = _command(session, f"MAIL FROM:{sender}")
    if reply.startswith("2"):
        reply = _command(session, f"RCPT TO:{recipient}")
    return reply


def _forget(session: smtplib.SMTP) -> bool:
    """End the transaction; False if the session has ended."""
    try:
        return _command(session, "RSET").startswith("2")
    except (OSError, smtplib.SMTPException):
        return False


def _command(session: smtplib.SMTP, line: str) -> str:
    session.send(line.encode(errors="surrogateescape") + b"\r\n")
    code, text = session.getreply()
    return f"{code} {' '.join(text.decode(errors='replace').split())}"


def _end(session: smtplib.SMTP | None) -> None:
    if session is not None:
        with suppress(OSError, smtplib.SMTPException):
            session.quit()
        session.close()


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
