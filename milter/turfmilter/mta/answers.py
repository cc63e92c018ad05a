"""Translates a Verdict into libmilter's calls and return codes, and decides which recipients can be removed."""

from __future__ import annotations

import re
from collections.abc import Iterable

import milter

from turfmilter.core.finding import CONTINUE, Action, Change, Verdict
from turfmilter.core.reply import Reply
from turfmilter.core.session import Recipient
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


_SURE = re.compile(
    r"""(?P<open><)?
    (?:@[\w.-]+(?:(?(open),|(?!))@[\w.-]+)*:)?    # a source route; a comma outside <> would separate two addresses
    (?P<address>
        (?: [^\s@"\\(),:;<>\[\]]+ | "[^"\\]*" )
        (?: @[\w.-]*[\w-] )?                # not a literal, no trailing dot: unclear what the MTA keeps of these
    )
    >?""",
    re.VERBOSE,
)
_QUOTING = str.maketrans("", "", '"\\')


def deletable(text: str) -> tuple[str, ...]:
    """The strings to pass to delrcpt to remove the recipient given as `text` in RCPT; empty if that is uncertain.

    delrcpt does not report that nothing matched, and a recipient that is not removed receives what should be held
    from it.  Postfix compares with the address as it parsed it: without the source route, case preserved.  Sendmail
    compares with what the string resolves to, and with the text of RCPT; if ruleset 5 has rewritten the recipient
    (plus detail, MAIL_HUB, LUSER_RELAY), only the text matches.
    """
    sure = _SURE.fullmatch(text)
    if sure is None or text.startswith("<") != text.endswith(">") or not _encodable(text):
        return ()
    return tuple(dict.fromkeys((f"<{sure['address']}>", text)))


def mailbox(resolved: str) -> str:
    """The mailbox of a recipient, from the value of {rcpt_addr}: equal for recipients that Sendmail can confuse.

    Ruleset 5 can rewrite a local user (an address without a domain) to the user without its plus detail, and the
    local mailer ignores quotes and backslashes.  Case is folded, which errs on the safe side.
    """
    plain = resolved.translate(_QUOTING).lower()
    return plain if "@" in plain else plain.partition("+")[0] or plain


def removable(taken: Iterable[Recipient], kept: Iterable[Recipient]) -> bool:
    """True if all of `taken` can be removed without removing any of `kept`.

    When Sendmail is told to remove one recipient of a mailbox, it removes all recipients of that mailbox.
    """
    remain = {recipient.mailbox for recipient in kept} - {""}
    return all(deletable(recipient.text) and recipient.mailbox not in remain for recipient in taken)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8: pymilter cannot pass them back
        return False
    return True
