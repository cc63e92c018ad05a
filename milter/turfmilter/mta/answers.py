"""The one place where a Verdict becomes what libmilter sends."""

from __future__ import annotations

from typing import Any

import milter

from turfmilter.core.finding import CONTINUE, Action, Change, Verdict
from turfmilter.core.reply import Reply
from turfmilter.mta.recipients import deletable

_CONTINUE = int(milter.CONTINUE)


def answer(context: Any, verdict: Verdict, *, leading_space: bool = False) -> int:
    """Do what `verdict` says and return libmilter's code.

    With `leading_space` (SMFIP_HDR_LEADSPC) the MTA puts no blank of its own behind the colon of a header that we add.

    A reply never precedes anything but its own refusal: libmilter would keep it for a later one.
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
            for recipient in verdict.taken:
                for known_as in deletable(recipient.text):
                    context.delrcpt(known_as)
            return int(milter.ACCEPT)
        case Action.HOLD | Action.DISCARD:
            return int(milter.DISCARD)
        case _:
            return int(milter.TEMPFAIL)


def _apply(context: Any, change: Change, blank: str) -> None:
    if change.value:
        context.addheader(change.name, f"{blank}{change.value}", 0)  # on top: RFC 8601 §4, trace fields come in order
    else:
        context.chgheader(change.name, change.index, "")


def refuse(context: Any, reply: Reply) -> int:
    """The class of the reply chooses the code; when they disagree libmilter sends its own text."""
    context.setreply(str(reply.code), reply.enhanced, reply.text)
    return int(milter.REJECT if reply.permanent else milter.TEMPFAIL)
