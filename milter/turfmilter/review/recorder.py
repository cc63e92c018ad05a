"""Who writes the ledger: everything that an administrator does to a held message passes here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from turfmilter.core.escape import escape
from turfmilter.review.administrator import Administrator
from turfmilter.stores.ledger import Ledger, Line
from turfmilter.telemetry.line import text_notice
from turfmilter.telemetry.sink import Sink

_INFO = 6  # RFC 3164 §4.1.1


class Recorder:
    """Writes into `ledger` what `administrator` does, and says it to `syslog` as well."""

    def __init__(self, ledger: Ledger, syslog: Sink, administrator: Administrator, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._syslog = syslog
        self._administrator = administrator
        self._now = now

    def note(
        self,
        act: str,
        stage: str,
        id: str,
        *,
        attempt: str = "",
        recipients: Iterable[str] = (),
        replies: Iterable[str] = (),
        note: str = "",
    ) -> None:
        """Write one line; it is on disk when this returns.  Raises LedgerError: then the act must not follow."""
        line = Line(
            time=self._now().isoformat(timespec="seconds").replace("+00:00", "Z"),
            who=self._administrator.login,
            uid=self._administrator.uid,
            origin=self._administrator.origin,
            act=act,
            stage=stage,
            id=id,
            attempt=attempt,
            recipients=tuple(recipients),
            replies=tuple(replies),
            note=note,
        )
        self._ledger.append(line)
        self._syslog.send([(_INFO, text_notice("info", said(line)))])

    def lines(self, id: str) -> Iterator[Line]:
        """What stands there already about one message.  Raises LedgerError."""
        return self._ledger.lines({id})


def said(line: Line) -> str:
    """A line of the ledger for people: who did what, and what came of it."""
    origin = f" from {escape(line.origin)}" if line.origin else ""
    parts = [f"{line.act} {escape(line.id)} ({line.stage}) by {escape(line.who)} (uid {line.uid}){origin}"]
    replies = line.replies or ("",) * len(line.recipients)
    parts += [f"<{escape(to)}> {escape(reply)}".strip() for to, reply in zip(line.recipients, replies, strict=False)]
    return "; ".join([*parts, *filter(None, [escape(line.note)])])
