"""Translates a Verdict into libmilter's calls and return codes."""

from __future__ import annotations

import milter

from turfmilter.core.finding import CONTINUE, Action, Change, Verdict
from turfmilter.core.removal import deletable
from turfmilter.core.reply import Reply
from turfmilter.mta.engine import Context

_CONTINUE = int(milter.CONTINUE)


def answer(context: Context, verdict: Verdict, *, leading_space: bool = False) -> int:
    """Apply `verdict` to the message and return libmilter's code for the callback.

    With `leading_space` (SMFIP_HDR_LEADSPC) the MTA inserts no blank after the colon of a field that is added, so
    the blank is part of the value.

    setreply is called only when the callback then refuses: libmilter keeps the text until the next refusal, which
    may be another one.
    """
    if verdict is CONTINUE:
        return _CONTINUE
    if verdict.reply is not None:
        return refuse(context, verdict.reply)
    for change in verdict.changes:
        _apply(context, change, " " if leading_space else "")
    match verdict.action:
        case Action.CONTINUE:
            return _CONTINUE
        case Action.ACCEPT:
            return int(milter.ACCEPT)
        case Action.HOLD | Action.DISCARD if verdict.partly:
            # DISCARD would drop the message for all: remove the affected recipients and let the others receive it.
            for recipient in verdict.taken:
                for known_as in deletable(recipient.text):
                    context.delrcpt(known_as)
            return int(milter.ACCEPT)
        case Action.HOLD | Action.DISCARD:
            return int(milter.DISCARD)
        case _:
            return int(milter.TEMPFAIL)


def _apply(context: Context, change: Change, blank: str) -> None:
    if change.value:
        # Index 0 is the top: RFC 8601 §4 makes this a trace field, and those are listed in order, newest first.
        context.addheader(change.name, f"{blank}{change.value}", 0)
    else:
        context.chgheader(change.name, change.index, "")  # an empty value removes the field


def refuse(context: Context, reply: Reply) -> int:
    """Set `reply` as the answer and return REJECT (5xx) or TEMPFAIL (4xx).

    The return code must be of the same class as the reply; otherwise libmilter sends a text of its own.
    """
    context.setreply(str(reply.code), reply.enhanced, reply.text)
    return int(milter.REJECT if reply.permanent else milter.TEMPFAIL)
