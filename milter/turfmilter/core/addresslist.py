"""An address list that nobody can read in two ways (RFC 5322 §3.4, with the obsolete forms of §4.4)."""

from __future__ import annotations

import re
from collections.abc import Callable

from turfmilter.core.mailbox import Mailbox
from turfmilter.core.name import is_name
from turfmilter.core.sightings import DECORATION, sightings
from turfmilter.core.spelling import Spelling, Unreadable, address_of, spell

Fold = Callable[[str, str], Mailbox]  # local part and domain to an address

# One author without anything that could be an address besides: nearly every message has one like this.
_SIMPLE = re.compile(
    r"(?:[^<>\"(),:;@%!\\\[\]\uff20\ufe6b\uff05\ufe6a\uff01\ufe57]*<)?([\w.#$&'*+/=?^`{|}~-]+)@([\w.-]+)>?"
)
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bq]\?[^?\s]*\?=", re.IGNORECASE)  # RFC 2047 §2
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_list(value: str, fold: Fold) -> list[Mailbox] | None:
    """The addresses of a field; None where it is not plainly a list of them, or holds none.

    What is in quotes or comments is a name and nothing else, as long as they are closed.
    """
    simple = _SIMPLE.fullmatch(value)
    if simple and ("<" in value) == value.endswith(">") and "=?" not in simple[1]:
        mailbox = fold(simple[1], simple[2])
        return [mailbox] if _has_host(mailbox) else None
    try:
        found = [_element(part, fold) for part in spell(value).split(",;") if part.text]
    except Unreadable:
        return None
    return [mailbox for mailbox in found if mailbox] or None


def _element(part: Spelling, fold: Fold) -> Mailbox | None:
    """The address in an element of the list, None where that is only a word.  Raises Unreadable."""
    opening = part.find("<")
    colon = part.find(":")
    if 0 <= colon < opening or opening < 0 <= colon:  # the name of a group
        _require_name(part.part(0, colon), fold)
        part = part.part(colon + 1)
        opening = part.find("<")
    if opening < 0 and part.find("@") < 0:
        _require_name(part, fold)  # Smith, Bob <bob@isp.example>
        return None
    if opening < 0:
        return _address(part, fold)
    if part.text[-1] != ">" or not part.bare[-1]:
        raise Unreadable("something behind the address")
    mailbox = _address(part.part(opening + 1, len(part.text) - 1), fold)
    _require_name(part.part(0, opening), fold, mailbox)
    return mailbox


def _address(spelling: Spelling, fold: Fold) -> Mailbox:
    """The address, where a host may have its domain.  Raises Unreadable."""
    local, domain = address_of(spelling)
    hides = "@" in local or any(sightings(local)) or _ENCODED_WORD.search(spelling.text)
    mailbox = fold(local, domain)
    # Around dots and the "@" RFC 5322 §4.4 allows blanks: not every program reads on behind them.
    if hides or not local or _CONTROL.search(local) or spelling.find(" \t\r\n") >= 0 or not _has_host(mailbox):
        raise Unreadable("no address that all read alike")
    return mailbox


def _require_name(spelling: Spelling, fold: Fold, mailbox: Mailbox | None = None) -> None:
    """Raises Unreadable where a phrase, apart from what is quoted in it, can be read as another address."""
    bare = "".join(char if bare else "\0" for char, bare in zip(spelling.text, spelling.bare, strict=True))
    if mailbox is None and "@" in spelling.text:
        raise Unreadable("an address in a name")
    seen = sightings(_ENCODED_WORD.sub("", bare))
    if any(fold(local.strip(DECORATION), domain) != mailbox for local, domain in seen):
        raise Unreadable("another address in a name")


def _has_host(mailbox: Mailbox) -> bool:
    return mailbox.literal is not None or is_name(mailbox.domain)
