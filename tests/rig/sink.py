"""An SMTP server on loopback that keeps every message as it was received."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from rig import wait
from rig.ports import free_port
from rig.server import Server


@dataclass(frozen=True)
class Delivery:
    """One message as it came: `data` are its bytes after dot-unstuffing, nothing else changed."""

    helo: str
    sender: str
    params: tuple[str, ...]
    recipients: tuple[str, ...]
    data: bytes


class Sink(Server):
    """Runs in a thread; `port` is known before it is started."""

    def __init__(self) -> None:
        self.port = free_port()
        self._deliveries: list[Delivery] = []
        self._changed = threading.Condition()
        self._controller = _Controller(_Keeper(self), hostname="127.0.0.1", port=self.port, ready_timeout=wait.AMPLE)

    def start(self) -> None:
        """Listen, and return when connections are accepted."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening and end the thread."""
        self._controller.stop()

    @property
    def deliveries(self) -> list[Delivery]:
        """What has come so far, in order."""
        with self._changed:
            return list(self._deliveries)

    def keep(self, delivery: Delivery) -> None:
        """Take one message."""
        with self._changed:
            self._deliveries.append(delivery)
            self._changed.notify_all()

    def wait_for(self, count: int, seconds: float = wait.AMPLE) -> list[Delivery]:
        """The deliveries, once there are `count` or more.  Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._deliveries) >= count, seconds):
                raise TimeoutError(f"{len(self._deliveries)} of {count} messages came within {seconds} s")
            return list(self._deliveries)

    def clear(self) -> None:
        """Forget what came."""
        with self._changed:
            self._deliveries.clear()


class _Server(SMTP):
    line_length_limit = 1 << 24  # broken mail has longer lines than RFC 5321 §4.5.3.1.6 allows


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, hostname="sink.rig.test", enable_SMTPUTF8=True, data_size_limit=None)


class _Keeper:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        self._sink.keep(
            Delivery(
                helo=session.host_name or "",
                sender=envelope.mail_from or "",
                params=tuple(envelope.mail_options),
                recipients=tuple(envelope.rcpt_tos),
                data=envelope.original_content or b"",
            )
        )
        return "250 OK"
