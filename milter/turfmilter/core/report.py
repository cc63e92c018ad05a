"""What is written down about a session: the log's Record and the Slip of a held message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from turfmilter.core.finding import Action, Verdict
from turfmilter.core.ports import Slip
from turfmilter.core.record import Record
from turfmilter.core.session import Connection, Recipient, Session, bare

_PARAMETER = re.compile(r'[A-Za-z0-9][A-Za-z0-9-]*(?:=[^\s"]*)?')  # RFC 5321 §4.1.2


def record(session: Session, verdict: Verdict, recipients: Iterable[Recipient], **more: Any) -> Record:
    """What the log says of `verdict`, be it on one recipient or on a message; `more` are further fields of Record.

    CONTINUE is none: the message ended before there was one.
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
    """The sentence about a message that the MTA has ended after some `fields` of its header."""
    sender = bare(session.envelope.sender.text) if session.envelope else ""
    hung_up = "" if fields else " the client hung up, or the MTA refused the message; or,"
    return (
        f"{queue_id or 'NOQUEUE'}: the MTA broke off in the header, fields seen: {fields}"
        f" (client={_client(session.connection)} sender={sender or '<>'}):{hung_up} if the MTA's log says that a"
        " length is out of range, a field is longer than the 64 kB that fit into the milter protocol, and the sender"
        " received 451"
    )


def slip(session: Session, verdict: Verdict, queue_id: str, now: datetime) -> Slip:
    """The block above a message that is held by `verdict`, for the recipients that it is held from."""
    connection, sender = session.connection, session.envelope.sender if session.envelope else None
    return Slip(
        sender=_with_params(sender.text, sender.params) if sender else "",
        recipients=tuple(_with_params(r.text, r.params) for r in verdict.taken),
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


def parted(text: str) -> tuple[str, tuple[str, ...]]:
    """The address and the ESMTP parameters of a sender or recipient as a Slip has it."""
    address = text
    parameters: tuple[str, ...] = ()
    while True:
        # From the end: blanks may stand in a quoted local part and in comments, but never in a parameter.
        before, blank, word = address.rpartition(" ")
        if not blank or not _PARAMETER.fullmatch(word) or before.count('"') % 2:
            return address, parameters
        address, parameters = before, (word, *parameters)


def _client(connection: Connection) -> str:
    return str(connection.client or ("local" if connection.local else ""))


def _entry(verdict: Verdict) -> str:
    return str(verdict.finding.matched or "") if verdict.finding else ""


def _with_params(text: str, params: tuple[str, ...]) -> str:
    return " ".join((bare(text), *params))
