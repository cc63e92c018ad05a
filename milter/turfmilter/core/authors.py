"""The authors of a message: the addresses in its From: fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from turfmilter.core.mailbox import Mailbox
from turfmilter.core.spelling import Spelling, Unreadable, address_of, mailbox_of, spell, spell_open

_SIMPLE = re.compile(r"(?:[^<>\"(),:;@\\\[\]]*<)?([\w.!#$%&'*+/=?^`{|}~-]+)@([\w.-]+)>?")

_MOST = 131_072  # characters of all From: fields: more than any program writes, and reading holds the MTA up


@dataclass(frozen=True, slots=True)
class Authors:
    """All addresses of all From: fields; `readable` is False when a field, or all of them, named none.

    `complete` is False when there was more than anybody would read.
    """

    mailboxes: tuple[Mailbox, ...]
    readable: bool
    complete: bool = True


def read_authors(values: Iterable[str]) -> Authors:
    """The authors in the values of all From: fields of a message (RFC 5322 §3.6.2 allows one field)."""
    mailboxes: list[Mailbox] = []
    readable = True
    fields = 0
    room = _MOST
    for value in values:
        fields += 1
        room -= len(value)
        if room < 0:
            return Authors(tuple(dict.fromkeys(mailboxes)), readable, complete=False)
        found, closed = _read_field(value.strip())
        readable = readable and closed and bool(found)
        mailboxes += found
    return Authors(tuple(dict.fromkeys(mailboxes)), readable and fields > 0)


def _read_field(value: str) -> tuple[list[Mailbox], bool]:
    """The addresses of a field, and False where something is not closed: then what others may see there."""
    simple = _SIMPLE.fullmatch(value)
    if simple and ("<" in value) == value.endswith(">"):
        return [mailbox_of(simple[1], simple[2])], True
    try:
        return _listed(spell(value)), True
    except Unreadable:
        return [*_listed(spell_open(value)), *_listed(spell_open(value.replace('"', " ")))], False


def _listed(field: Spelling) -> list[Mailbox]:
    return [mailbox for part in field.split(",;") if "@" in part.text for mailbox in _mailboxes(part)]


def _mailboxes(part: Spelling) -> list[Mailbox]:
    """The addresses in one element of the list: all that stand in <>, else the last word with an "@"."""
    found = []
    start = part.find("<")
    if start < 0:
        return _mailbox(_last_word(part))
    while start >= 0:
        end = part.find(">", start)
        end = len(part.text) if end < 0 else end
        inner = part.part(start + 1, end)
        found += _mailbox(inner.part(inner.rfind("<") + 1))
        start = part.find("<", end)
    return found


def _mailbox(spelling: Spelling) -> list[Mailbox]:
    """The address; none when it cannot be read, for it must not hide the others of its field."""
    try:
        local, domain = address_of(spelling)
    except Unreadable:
        return []
    return [mailbox_of(local, domain)] if domain else []


def _last_word(part: Spelling) -> Spelling:
    """Without <>: the word around the last "@", behind the name of a group (RFC 5322 §3.4)."""
    part = part.part(part.find(":") + 1)
    at = part.rfind("@")
    if at < 0:
        return part
    end = part.find(" \t\r\n", len(part.text[: at + 1]) + _blanks(part.text[at + 1 :]))
    head = part.part(0, at)
    start = head.rfind(" \t\r\n") + 1
    return part.part(0, len(part.text) if end < 0 else end).part(start)


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip())
