"""What is recorded about a session: the Record for the log, and the Slip of a held message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from turfmilter.core.address.addressed import Addressed, addressed, bare
from turfmilter.core.finding import Action, Verdict
from turfmilter.core.session import Connection, Recipient, Session

MOST_SHOWN = 10  # items of one list that a log line shows


def record(session: Session, verdict: Verdict, recipients: Iterable[Recipient], **more: Any) -> Record:
    """Return the record of `verdict` on a recipient or on a message; `more` are further fields of Record.

    CONTINUE is recorded as no verdict: the message ended before there was one.
    """
    connection, envelope = session.connection, session.envelope
    texts = tuple(bare(r.text) for r in recipients)
    return Record(
        client=_client(connection),
        name=connection.name,
        helo=session.helo,
        account=session.account,
        listener=session.listener,
        sender=bare(envelope.sender.text) if envelope else None,
        nrcpt=len(texts),
        rcpt=texts,
        verdict="" if verdict.action is Action.CONTINUE else verdict.action.value,
        rule=verdict.finding.rule if verdict.finding else "",
        entry=_entry(verdict),
        saw=verdict.finding.what if verdict.finding else "",
        reply=str(verdict.reply or ""),
        **more,
    )


def broken_off(session: Session, queue_id: str, fields: int) -> str:
    """Return the log message about a message that the MTA aborted after `fields` fields of its header."""
    sender = bare(session.envelope.sender.text) if session.envelope else ""
    disconnected = "" if fields else " the client disconnected, or the MTA rejected the message; or,"
    return (
        f"{queue_id or 'NOQUEUE'}: the MTA aborted the message in its header, fields received: {fields}"
        f" (client={_client(session.connection)} sender={sender or '<>'}):{disconnected} if the MTA's log reports a"
        " length that is out of range, a field is longer than the 64 kB that the milter protocol can transmit, and"
        " the sender received 451"
    )


def slip(session: Session, verdict: Verdict, queue_id: str, now: datetime) -> Slip:
    """Return what is stored above a message that is held by `verdict`, for the recipients from whom it is withheld."""
    connection, sender = session.connection, session.envelope.sender if session.envelope else None
    return Slip(
        sender=addressed(sender.text, sender.params) if sender else Addressed(""),
        recipients=tuple(addressed(r.text, r.params) for r in verdict.taken),
        client=_client(connection),
        name=connection.name,
        helo=session.helo,
        account=session.account,
        listener=session.listener,
        queue_id=queue_id,
        time=now,
        rule=verdict.finding.rule if verdict.finding else "",
        entry=_entry(verdict),
    )


def _client(connection: Connection) -> str:
    return str(connection.client or ("local" if connection.local else ""))


def _entry(verdict: Verdict) -> str:
    return str(verdict.finding.matched or "") if verdict.finding else ""


@dataclass(frozen=True, slots=True)
class Slip:
    """The contents of the block of our own header fields above a held message."""

    sender: Addressed
    recipients: tuple[Addressed, ...]
    client: str
    name: str
    helo: str
    account: str
    listener: str
    queue_id: str
    time: datetime
    rule: str
    entry: str


class Trial(NamedTuple):
    """What a rule in trial mode would have done, or that a rule could not decide ("unavailable").

    `entry` is the table entry that matched, with its place, `spared` the key that exempts the message, and
    `recipient` the only one that it is about; each is "" if there is none.
    """

    rule: str
    verdict: str
    entry: str = ""
    spared: str = ""
    recipient: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, self))


class Record(NamedTuple):
    """One log line, about a message or a refusal.

    The fields are named as in the log.  Absent values ("", (), None, and 0 for counts) are not logged.
    `size` is in bytes, `ms` in milliseconds.
    """

    queue_id: str = ""
    client: str = ""
    name: str = ""
    helo: str = ""
    account: str = ""
    listener: str = ""
    sender: str | None = None
    nrcpt: int = 0
    rcpt: tuple[str, ...] = ()
    size: int | None = None
    verdict: str = ""
    rule: str = ""
    entry: str = ""
    saw: str = ""
    trial: tuple[str, ...] = ()
    id: str = ""
    reply: str = ""
    gen: int = 0
    ms: int = 0
