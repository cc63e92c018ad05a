"""The field Authentication-Results (RFC 8601)."""

from __future__ import annotations

import re

from turfmilter.core.mailbox import IPAddress

FIELD = "Authentication-Results"

_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)", re.DOTALL)
_ID = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))\s*(?:\d+\s*)?(?:;|\Z)', re.DOTALL)


def bears(value: str, authserv_id: str) -> bool:
    """True when the results in `value` are said to be those of `authserv_id`.

    It may stand in any case, quoted, folded, behind a comment, and before a version (RFC 8601 §2.2).
    """
    while value != (stripped := _COMMENT.sub(" ", value)):
        value = stripped
    found = _ID.match(value)
    if not found:
        return False
    written = found[2] if found[1] is None else re.sub(r"\\(.)", r"\1", found[1])
    return written.casefold().removesuffix(".") == authserv_id.casefold().removesuffix(".")


def iprev_field(authserv_id: str, result: str, client: IPAddress, name: str) -> str:
    """The value of the field with the iprev `result` of `client`; `name` goes into a comment (RFC 8601 §2.7.3)."""
    address = f'"{client}"' if client.version == 6 else str(client)  # a colon is no part of a token (RFC 2045 §5.1)
    comment = f" ({name})" if name else ""
    return f"{authserv_id};\n\tiprev={result} policy.iprev={address}{comment}"
