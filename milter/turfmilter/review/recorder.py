"""Writing the ledger: everything that an administrator does to a held message is recorded here."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import INTENT, OUTCOME, LedgerError, Line
from turfmilter.core.ports import HeldMessages, Ledger
from turfmilter.review.administrator import Administrator
from turfmilter.review.fate import DONE, NOT_DONE, by_id
from turfmilter.review.quarantines import Place
from turfmilter.telemetry.line import text_notice
from turfmilter.telemetry.sink import Sink

_INFO = 6  # RFC 3164 §4.1.1


class Recorder:
    """Writes what `administrator` does to `ledger` and to `syslog`."""

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
        durable: bool = True,
    ) -> None:
        """Write one line, which is durable when this returns.  If it raises LedgerError, the act must not follow.

        A line on which nothing depends need not be `durable`.
        """
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
        self._ledger.append(line, durable=durable)
        self._syslog.send([(_INFO, text_notice("info", said(line)))])

    @contextmanager
    def acting(self, act: str, id: str, note: str = "") -> Iterator[None]:
        """Record an act: the intent is durable before the act begins, and the outcome is written after it.

        An intent without an outcome means that the program was killed in between: the store shows what happened.
        Raises LedgerError.
        """
        attempt = secrets.token_hex(4)
        self.note(act, INTENT, id, attempt=attempt, note=note)
        try:
            yield
        except Exception as error:
            self._conclude(act, id, attempt, f"{NOT_DONE}: {_reason(error)}", error)
            raise
        self._conclude(act, id, attempt, DONE)

    def expect(self, ids: Iterable[str]) -> None:
        """Announce messages for which `lines` will be called: the ledger is then read once for all of them."""
        self._ledger.expect(ids)

    def lines(self, id: str) -> Sequence[Line]:
        """Return the lines about one message as they are at this moment.  Raises LedgerError."""
        return self._ledger.about(id)

    def _conclude(self, act: str, id: str, attempt: str, outcome: str, cause: Exception | None = None) -> None:
        try:
            self.note(act, OUTCOME, id, attempt=attempt, note=outcome, durable=False)
        except LedgerError as error:
            raise LedgerError(f"{act}: {outcome}, but {error}") from cause or error


def said(line: Line) -> str:
    """Return a line of the ledger as text for people, escaped: who did what, and the result."""
    origin = f" from {escape(line.origin)}" if line.origin else ""
    parts = [f"{line.act} {escape(line.id)} ({line.stage}) by {escape(line.who)} (uid {line.uid}){origin}"]
    replies = line.replies or ("",) * len(line.recipients)
    parts += [f"<{escape(to)}> {escape(reply)}".strip() for to, reply in zip(line.recipients, replies, strict=False)]
    return "; ".join([*parts, *filter(None, [escape(line.note)])])


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "the message is gone"
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


class Recorders:
    """The Recorders of what `administrator` does, one for each quarantine, for as long as the program runs."""

    def __init__(self, syslog: Sink, administrator: Administrator, now: Callable[[], datetime]) -> None:
        self._syslog = syslog
        self._administrator = administrator
        self._now = now
        self._of: dict[HeldMessages, Recorder] = {}

    def of(self, quarantine: HeldMessages) -> Recorder:
        """Return the one of `quarantine`."""
        if quarantine not in self._of:
            self._of[quarantine] = Recorder(quarantine.ledger, self._syslog, self._administrator, self._now)
        return self._of[quarantine]

    def expect(self, places: Iterable[Place]) -> None:
        """Announce messages whose lines in the ledgers will be asked for: each ledger is then read once."""
        ids: dict[HeldMessages, list[str]] = defaultdict(list)
        for place in places:
            ids[place.quarantine].append(place.message.id)
        for quarantine, some in ids.items():
            self.of(quarantine).expect(some)


class Histories:
    """The lines about each of many messages; every ledger is read once."""

    def __init__(self, places: Iterable[Place]) -> None:
        """Raises LedgerError."""
        ids: dict[HeldMessages, set[str]] = defaultdict(set)
        for place in places:
            ids[place.quarantine].add(place.message.id)
        self._of = {quarantine: by_id(quarantine.ledger.lines(some)) for quarantine, some in ids.items()}

    def of(self, place: Place) -> Sequence[Line]:
        """Return the lines about the message at `place`, in their order."""
        return self._of[place.quarantine].get(place.message.id, ())
