"""The one string by which delrcpt finds a recipient."""

from __future__ import annotations

import re

_SURE = re.compile(
    r"""<?
    (?:@[\w.-]+(?:,@[\w.-]+)*:)?            # a source route: Postfix keeps recipients without it
    (?P<address>
        (?: [^\s@"\\(),:;<>\[\]]+ | "[^"\\]*" )
        (?: @[\w.-]*[\w-] )?                # no literal and no trailing dot: unclear what the MTA keeps
    )
    >?""",
    re.VERBOSE,
)


def deletable(text: str) -> str | None:
    """What delrcpt must be told to take off the recipient given as `text`, or None when that is not sure.

    delrcpt reports no miss, and Postfix compares case and all with the address as it parsed it; a string
    that does not match would deliver the message to somebody from whom it is held.
    """
    sure = _SURE.fullmatch(text)
    if sure is None or text.startswith("<") != text.endswith(">") or not _encodable(text):
        return None
    return f"<{sure['address']}>"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # raw 8-bit: pymilter cannot pass it back
        return False
    return True
