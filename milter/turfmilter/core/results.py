"""The field Authentication-Results (RFC 8601)."""

from __future__ import annotations

from turfmilter.core.mailbox import IPAddress
from turfmilter.core.spelling import Spelling, Unreadable, spell

FIELD = "Authentication-Results"

_BEHIND = " \t\r\n;/,("  # also what RFC 8601 does not allow there: who reads the field may be less strict than we are


def bears(value: str, authserv_id: str) -> bool:
    """True when the results in `value` are said to be those of `authserv_id`.

    It may stand in any case, quoted, folded, behind a comment, and before a version (RFC 8601 §2.2).
    """
    try:
        spelling = spell(value)
    except Unreadable:  # an unclosed comment or quote: what stands before it still claims to be ours
        spelling = Spelling(value, (True,) * len(value))
    spelling = spelling.part(0)
    end = spelling.find(_BEHIND)
    written = spelling.text if end < 0 else spelling.text[:end]
    return written.casefold().removesuffix(".") == authserv_id.casefold().removesuffix(".")


def iprev_field(authserv_id: str, result: str, client: IPAddress, name: str) -> str:
    """The value of the field with the iprev `result` of `client`; `name` goes into a comment (RFC 8601 §2.7.3)."""
    address = f'"{client}"' if client.version == 6 else str(client)  # a colon is no part of a token (RFC 2045 §5.1)
    comment = f" ({name})" if name else ""
    return f"{authserv_id};\n\tiprev={result} policy.iprev={address}{comment}"
