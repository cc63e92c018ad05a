"""Which recipients an MTA can be told to remove from a message, and by which strings."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turfmilter.core.session import Recipient

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
