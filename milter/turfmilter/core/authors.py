"""The authors of a message: the addresses in its From: fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from turfmilter.core.addresslist import read_list
from turfmilter.core.header import decode_text
from turfmilter.core.mailbox import Mailbox
from turfmilter.core.sightings import sightings, signs
from turfmilter.core.spelling import mailbox_of

# What is read of all From: fields together, more than any program writes: reading holds the MTA up.
_MOST = 131_072  # characters
_MOST_LABELS = 1000  # labels of international domains: IDNA takes up to 0.1 ms for each
_MOST_SIGNS = 5000  # places in fields that are no plain lists where an address might be


@dataclass(frozen=True, slots=True)
class Authors:
    """All addresses that anybody may see in the From: fields.

    `readable` is False when a field is not plainly a list of addresses, or when there is none.
    `complete` is False when there was more than is read.
    """

    mailboxes: tuple[Mailbox, ...]
    readable: bool
    complete: bool = True


class _TooMuch(Exception):
    """There is more than is read."""


def read_authors(values: Iterable[str]) -> Authors:
    """The authors in the values of all From: fields of a message (RFC 5322 §3.6.2 allows one field)."""
    reader = _Reader()
    try:
        for value in values:
            reader.read(value.strip())
    except _TooMuch:
        return reader.authors(complete=False)
    return reader.authors(complete=True)


class _Reader:
    """Reads field after field, and no more than all of them together may cost."""

    def __init__(self) -> None:
        self._found: dict[Mailbox, None] = {}
        self._plain: list[bool] = []
        self._characters, self._labels, self._signs = _MOST, _MOST_LABELS, _MOST_SIGNS

    def authors(self, *, complete: bool) -> Authors:
        """What was found so far."""
        return Authors(tuple(self._found), readable=bool(self._plain) and all(self._plain), complete=complete)

    def read(self, value: str) -> None:
        """The addresses of a field.  Raises _TooMuch; what was found by then stays found."""
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
