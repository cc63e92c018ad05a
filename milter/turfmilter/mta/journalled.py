"""Collects what the Judge of one connection sees, and gives each transaction to the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from turfmilter.core.finding import CONTINUE, Verdict
from turfmilter.core.journal.transaction import (
    MOST_FIELD_CHARACTERS,
    MOST_TRIED,
    NotLookedUp,
    Transaction,
    Tried,
    to_answer,
)
from turfmilter.core.judge import Judge
from turfmilter.core.session import Connection, Recipient
from turfmilter.mta.macros import Macros
from turfmilter.mta.service import Service


class Journalled:
    """The journal's part of one connection; does nothing if no journal is kept."""

    __slots__ = ("_journal", "_judge", "_log", "_macros", "_now", "_session", "_tried")

    def __init__(self, service: Service, judge: Judge, macros: Macros) -> None:
        self._journal = service.journal
        self._log = service.log
        self._now = service.clock.now
        self._session = service.journal.session()
        self._judge = judge
        self._macros = macros
        self._tried: list[Tried] = []

    def forget(self) -> None:
        """Begin the next transaction."""
        self._tried.clear()

    def recipient(self, recipient: Recipient, verdict: Verdict) -> None:
        """Collect one recipient, with what the client was answered."""
        if self._session and len(self._tried) <= MOST_TRIED:  # one more shows that the line lacks some
            self._tried.append(Tried(recipient, None if verdict is CONTINUE else to_answer(verdict)))

    def ended(self, verdict: Verdict, milliseconds: int, *, id: str = "", size: int | None = None) -> None:
        """Write the transaction, which ends with `verdict`; CONTINUE if it ended without one.

        A message that ended before any recipient was tried is left out: nothing was decided about it.
        """
        if not self._session or not (self._tried or verdict is not CONTINUE):
            return
        try:
            self._journal.write(self._transaction(verdict, milliseconds, id, size))
        except Exception as error:  # noqa: BLE001 - the message has its answer, which must not become 451
            self._log.say("error", f"journal: {type(error).__name__}: {error}")

    def _transaction(self, verdict: Verdict, milliseconds: int, id: str, size: int | None) -> Transaction:
        found, envelope = self._judge.session, self._judge.session.envelope
        # A rule reads the header only at its end: before that, nothing is known about it.
        fields = None if found.authors is None else self._fields()
        return Transaction(
            time=self._now(),
            session=self._session,
            connection=self._connection(),
            facts=self._judge.generation.facts,
            listener=found.listener,
            helo=found.helo,
            tls=found.tls,
            account=found.account,
            today=found.today,
            messages=found.messages,
            octets=found.octets,
            sender=envelope.sender.text if envelope else None,
            params=envelope.sender.params if envelope else (),
            tried=tuple(self._tried[:MOST_TRIED]),
            fields=fields,
            size=size,
            complete=len(self._tried) <= MOST_TRIED
            and (fields is None or len(fields) == len(self._judge.policy.wants)),
            answer=to_answer(verdict),
            trials=self._judge.trials,
            queue_id=self._macros["i"],
            id=id,
            generation=self._judge.generation.number,
            ms=milliseconds,
        )

    def _connection(self) -> Connection:
        """Return the connection; the names of its client are unknown if no rule needs any, and the MTA had none."""
        connection = self._judge.session.connection
        if connection.name or self._judge.generation.needs_names:
            return connection
        return connection._replace(names=NotLookedUp())

    def _fields(self) -> Mapping[str, Sequence[str]]:
        """Return the fields that the rules asked for, also those that the header lacks; not all if they are long."""
        found, left, kept = self._judge.session.fields, MOST_FIELD_CHARACTERS, {}
        for name in sorted(self._judge.policy.wants):
            kept[name] = found.get(name, ())
            left -= sum(map(len, kept[name]))
            if left < 0:
                del kept[name]
                break
        return kept
