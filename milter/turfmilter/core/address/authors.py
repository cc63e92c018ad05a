"""The authors of a message: the addresses in its From: fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from turfmilter.core.address.header import decode_text
from turfmilter.core.address.hostname import is_name
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.sightings import DECORATION, sightings, signs
from turfmilter.core.address.spelling import Spelling, Unreadable, address_of, mailbox_of, spell

# How much of all From: fields together is read, because the MTA waits for it.  No program writes as much.
_MAX_CHARACTERS = 131_072
_MAX_LABELS = 1000  # labels of international domains: IDNA takes up to 0.1 ms for each
_MAX_SIGNS = 5000  # places that might be the middle of an address, in fields that are not plain lists


@dataclass(frozen=True, slots=True)
class Authors:
    """All addresses that any program may find in the From: fields.

    `readable` is False if a field is not plainly a list of addresses, or if there is no field.
    `complete` is False if the fields exceeded the limits above.
    """

    mailboxes: tuple[Mailbox, ...]
    readable: bool
    complete: bool = True


class _TooMuch(Exception):
    """The fields exceed a limit."""


def read_authors(values: Iterable[str]) -> Authors:
    """Return the authors in the values of all From: fields of a message (RFC 5322 §3.6.2 allows one field)."""
    reader = _Reader()
    try:
        for value in values:
            reader.read(value.strip())
    except _TooMuch:
        return reader.authors(complete=False)
    return reader.authors(complete=True)


class _Reader:
    """Reads one field after another, within limits for all of them together."""

    def __init__(self) -> None:
        self._found: dict[Mailbox, None] = {}
        self._plain: list[bool] = []
        self._characters, self._labels, self._signs = _MAX_CHARACTERS, _MAX_LABELS, _MAX_SIGNS

    def authors(self, *, complete: bool) -> Authors:
        """Return the addresses found so far."""
        return Authors(tuple(self._found), readable=bool(self._plain) and all(self._plain), complete=complete)

    def read(self, value: str) -> None:
        """Add the addresses of a field.  Raises _TooMuch; addresses found by then are kept."""
        self._characters -= len(value)
        if self._characters < 0:
            raise _TooMuch
        mailboxes, plain = read_list(value, self._fold)
        self._plain.append(plain)
        self._found |= dict.fromkeys(mailboxes)
        if not plain:
            for text in dict.fromkeys((value, decode_text(value))):  # some programs decode first (RFC 2047)
                self._sight(text)

    def _sight(self, text: str) -> None:
        self._signs -= signs(text)
        if self._signs < 0:
            raise _TooMuch
        for local, domain in sightings(text):
            self._found[self._fold(local, domain)] = None

    def _fold(self, local: str, domain: str) -> Mailbox:
        if not domain.isascii():
            self._labels -= domain.count(".") + 1
            if self._labels < 0:
                raise _TooMuch
        return mailbox_of(local, domain)


Fold = Callable[[str, str], Mailbox]  # makes an address of a local part and a domain

# One author and nothing else that could be an address, as in nearly every message.
_SIMPLE = re.compile(
    r"(?:[^<>\"(),:;@%!\\\[\]\uff20\ufe6b\uff05\ufe6a\uff01\ufe57]*<)?([\w.#$&'*+/=?^`{|}~-]+)@([\w.-]+)>?"
)
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bq]\?[^?\s]*\?=", re.IGNORECASE)  # RFC 2047 §2
_BESIDE_A_SIGN = re.compile(r"[@%!]=\?|\?=[@%!]")  # an encoded word here may become an address
# Quoted strings and comments, and escapes outside them, where RFC 5322 does not allow any.
_ESCAPING = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|\\', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_list(value: str, fold: Fold) -> tuple[list[Mailbox], bool]:
    """Return the addresses in a field, and True if it is plainly a list of them: no program finds others in it."""
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
    """Add the address in an element of the list to `found`; return False if another one might be found in it."""
    try:
        _element(part, fold, found)
    except Unreadable:
        return False
    return True


def _element(part: Spelling, fold: Fold, found: list[Mailbox]) -> None:
    """Read one element: an address with or without a name, or only a word.  Raises Unreadable."""
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
        raise Unreadable("text after the address")
    else:
        mailbox = _address(part.part(opening + 1, len(part.text) - 1), fold, found)
        _require_name(part.part(0, opening), fold, mailbox)


def _address(spelling: Spelling, fold: Fold, found: list[Mailbox]) -> Mailbox:
    """Add the address to `found` and return it.  Raises Unreadable if it is ambiguous or its domain is invalid."""
    local, domain = address_of(spelling)
    mailbox = fold(local, domain)
    if domain:
        found.append(mailbox)
    hides = "@" in local or any(sightings(local)) or _ENCODED_WORD.search(spelling.text)
    # RFC 5322 §4.4 allows blanks around dots and the "@", but some programs stop reading there.
    if hides or not local or _CONTROL.search(local) or spelling.find(" \t\r\n") >= 0 or not _has_host(mailbox):
        raise Unreadable("no address that all read alike")
    return mailbox


def _require_name(spelling: Spelling, fold: Fold, mailbox: Mailbox | None = None) -> None:
    """Raise Unreadable if a phrase, apart from its quoted parts, can be read as another address."""
    bare = "".join(char if bare else "\0" for char, bare in zip(spelling.text, spelling.bare, strict=True))
    if (mailbox is None and "@" in spelling.text) or _BESIDE_A_SIGN.search(bare):
        raise Unreadable("an address in a name")
    seen = sightings(_ENCODED_WORD.sub("x", bare))
    if any(fold(local.strip(DECORATION), domain) != mailbox for local, domain in seen):
        raise Unreadable("another address in a name")


def _has_host(mailbox: Mailbox) -> bool:
    return mailbox.literal is not None or is_name(mailbox.domain)
