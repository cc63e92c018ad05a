"""How an MTA finds a recipient again: for delrcpt, and where the filter has refused it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turfmilter.core.session import Recipient

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
