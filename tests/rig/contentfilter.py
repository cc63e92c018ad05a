"""An after-queue content filter, like amavis: it receives mail by SMTP, marks it, and returns it by SMTP."""

from __future__ import annotations

import asyncio
import smtplib

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from rig import wait
from rig.server import Server

MARK = b"X-Content-Filter: seen\r\n"


class ContentFilter(Server):
    """Listens on loopback at `port` and hands every message to loopback at `back`, with MARK on top."""

    def __init__(self, port: int, back: int) -> None:
        self._controller = _Controller(_Returner(back), hostname="127.0.0.1", port=port, ready_timeout=wait.AMPLE)

    def start(self) -> None:
        """Listen, and return when connections are accepted."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening, and end the thread."""
        self._controller.stop()


class _Controller(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, hostname="content-filter.rig.test", data_size_limit=None)


class _Returner:
    def __init__(self, back: int) -> None:
        self._back = back

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        return await asyncio.get_running_loop().run_in_executor(None, self._hand_back, envelope)

    def _hand_back(self, envelope: Envelope) -> str:
        message = envelope.original_content or b""
        try:
            with smtplib.SMTP("127.0.0.1", self._back, timeout=wait.AMPLE) as server:
                refused = server.sendmail(envelope.mail_from or "", envelope.rcpt_tos, MARK + message)
        except (OSError, smtplib.SMTPException) as error:
            return f"451 4.3.0 {error}".partition("\n")[0]
        return f"451 4.3.0 {refused}" if refused else "250 2.0.0 Ok, handed back"
