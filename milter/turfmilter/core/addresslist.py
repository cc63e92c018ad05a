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
_BESIDE_A_SIGN = re.compile(r"[@%!]=\?|\?=[@%!]")  # an encoded word there may make an address
# Quoted strings and comments, and an escape outside of them, where RFC 5322 has none.
_ESCAPING = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|\\', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_list(value: str, fold: Fold) -> tuple[list[Mailbox], bool]:
    """The addresses of a field, and True where it is plainly a list of them: then nobody sees others in it."""
    simple = _SIMPLE.fullmatch(value)
    if simple and ("<" in value) == value.endswith(">") and "=?" not in simple[1]:
        mailbox = fold(simple[1], simple[2])
        return [mailbox], _has_host(mailbox)
    found: list[Mailbox] = []
    try:
        elements = [part for part in spell(value).split(",;") if part.text]
    except Unreadable:
        return [], False
    plain = [_take(part, fold, found) for part in elements]
    escaped = any(piece[0] == "\\" for piece in _ESCAPING.finditer(value))
    return found, bool(found) and all(plain) and not escaped


def _take(part: Spelling, fold: Fold, found: list[Mailbox]) -> bool:
    """Add the address in an element of the list to `found`; False where something else might be seen in it."""
    try:
        _element(part, fold, found)
    except Unreadable:
        return False
    return True


def _element(part: Spelling, fold: Fold, found: list[Mailbox]) -> None:
    """One element: an address with or without a name, or only a word.  Raises Unreadable."""
    opening = part.find("<")
    colon = part.find(":")
    if 0 <= colon < opening or opening < 0 <= colon:  # the name of a group
        _require_name(part.part(0, colon), fold)
        part = part.part(colon + 1)
        opening = part.find("<")
    if opening < 0 and part.find("@") < 0:
        _require_name(part, fold)  # Smith, Bob <bob@isp.example>
    elif opening < 0:
        _address(part, fold, found)
    elif part.text[-1] != ">" or not part.bare[-1]:
        raise Unreadable("something behind the address")
    else:
        mailbox = _address(part.part(opening + 1, len(part.text) - 1), fold, found)
        _require_name(part.part(0, opening), fold, mailbox)


def _address(spelling: Spelling, fold: Fold, found: list[Mailbox]) -> Mailbox:
    """The address, added to `found`.  Raises Unreadable where it is not the only one, or no host has its domain."""
    local, domain = address_of(spelling)
    mailbox = fold(local, domain)
    if domain:
        found.append(mailbox)
    hides = "@" in local or any(sightings(local)) or _ENCODED_WORD.search(spelling.text)
    # Around dots and the "@" RFC 5322 §4.4 allows blanks: not every program reads on behind them.
    if hides or not local or _CONTROL.search(local) or spelling.find(" \t\r\n") >= 0 or not _has_host(mailbox):
        raise Unreadable("no address that all read alike")
    return mailbox


def _require_name(spelling: Spelling, fold: Fold, mailbox: Mailbox | None = None) -> None:
    """Raises Unreadable where a phrase, apart from what is quoted in it, can be read as another address."""
    bare = "".join(char if bare else "\0" for char, bare in zip(spelling.text, spelling.bare, strict=True))
    if (mailbox is None and "@" in spelling.text) or _BESIDE_A_SIGN.search(bare):
        raise Unreadable("an address in a name")
    seen = sightings(_ENCODED_WORD.sub("x", bare))
    if any(fold(local.strip(DECORATION), domain) != mailbox for local, domain in seen):
        raise Unreadable("another address in a name")


def _has_host(mailbox: Mailbox) -> bool:
    return mailbox.literal is not None or is_name(mailbox.domain)
