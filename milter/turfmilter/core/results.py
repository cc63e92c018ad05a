"""The field Authentication-Results (RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from turfmilter.core.mailbox import IPAddress
from turfmilter.core.spelling import Spelling, Unreadable, spell, spell_open

FIELD = "Authentication-Results"

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_BEHIND = " ;/,("  # also what RFC 8601 does not allow there: who reads the field may be less strict than we are


def bears(value: str, authserv_id: str) -> bool:
    """True when the results in `value` are said to be those of `authserv_id`.

    It may stand in any case, quoted, folded, behind a comment, and before a version (RFC 8601 §2.2).
    """
    ours = authserv_id.casefold().removesuffix(".")
    return any(_name(spelling) == ours for spelling in _spellings(_CONTROLS.sub(" ", value)))


def iprev_field(authserv_id: str, result: str, client: IPAddress, name: str) -> str:
    """The value of the field with the iprev `result` of `client`; `name` goes into a comment (RFC 8601 §2.7.3)."""
    address = f'"{client}"' if client.version == 6 else str(client)  # a colon is no part of a token (RFC 2045 §5.1)
    comment = f" ({name})" if name else ""
    return f"{authserv_id};\n\tiprev={result} policy.iprev={address}{comment}"


def _spellings(value: str) -> Iterator[Spelling]:
    """What readers of all kinds see in the value: some look no further than the name."""
    try:
        yield spell(value)
    except Unreadable:
        yield spell_open(value)
        yield spell_open(value.replace('"', " "))


def _name(spelling: Spelling) -> str:
    """The folded authserv-id, with which the value begins."""
    spelling = spelling.part(0)
    end = spelling.find(_BEHIND)
    return (spelling.text if end < 0 else spelling.text[:end]).casefold().removesuffix(".")
