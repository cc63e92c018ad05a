"""The one place where a Verdict becomes what libmilter sends."""

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


def _apply(context: Context, change: Change, blank: str) -> None:
    if change.value:
        context.addheader(change.name, f"{blank}{change.value}", 0)  # on top: RFC 8601 §4, trace fields come in order
    else:
        context.chgheader(change.name, change.index, "")


def refuse(context: Context, reply: Reply) -> int:
    """The class of the reply chooses the code; when they disagree libmilter sends its own text."""
    context.setreply(str(reply.code), reply.enhanced, reply.text)
    return int(milter.REJECT if reply.permanent else milter.TEMPFAIL)


_SURE = re.compile(
    r"""(?P<open><)?
    (?:@[\w.-]+(?:(?(open),|(?!))@[\w.-]+)*:)?    # a source route; a comma outside of <> would part two addresses
    (?P<address>
        (?: [^\s@"\\(),:;<>\[\]]+ | "[^"\\]*" )
        (?: @[\w.-]*[\w-] )?                # no literal and no trailing dot: unclear what the MTA keeps
    )
    >?""",
    re.VERBOSE,
)
_QUOTING = str.maketrans("", "", '"\\')


def deletable(text: str) -> tuple[str, ...]:
    """The strings that delrcpt needs to remove the recipient given as `text`; none when that is not certain.

    delrcpt does not report a miss, and a recipient that is missed receives what is held from it.  Postfix compares
    with the address as it parsed it: without the source route, case kept.  Sendmail compares with what the string
    resolves to, and with the text of RCPT; where ruleset 5 has rewritten the recipient (plus detail, MAIL_HUB,
    LUSER_RELAY), only the text matches.
    """
    sure = _SURE.fullmatch(text)
    if sure is None or text.startswith("<") != text.endswith(">") or not _encodable(text):
        return ()
    return tuple(dict.fromkeys((f"<{sure['address']}>", text)))


def mailbox(resolved: str) -> str:
    """What two recipients have in common that Sendmail can take for one another, from {rcpt_addr}.

    Ruleset 5 can rewrite a local user (one without a domain) to the user without its plus detail, and the local
    mailer drops quotes and backslashes.  Case is dropped, which errs on the safe side.
    """
    plain = resolved.translate(_QUOTING).lower()
    return plain if "@" in plain else plain.partition("+")[0] or plain


def removable(taken: Iterable[Recipient], kept: Iterable[Recipient]) -> bool:
    """True when every one of `taken` can be removed, and none of `kept` goes with it.

    Sendmail removes all recipients of a mailbox when it is told to remove one of them.
    """
    remain = {recipient.mailbox for recipient in kept} - {""}
    return all(deletable(recipient.text) and recipient.mailbox not in remain for recipient in taken)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # raw 8-bit: pymilter cannot pass it back
        return False
    return True
