"""Every reading of a recipient or sender: an address may hide the one that the mail is really sent to."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from turfmilter.core.address.mailbox import Mailbox, is_spelled_out
from turfmilter.core.address.sightings import sightings
from turfmilter.core.address.spelling import Spelling, Unreadable, address_of, mailbox_of, spell

# RFC 5321 atext without the routing characters "%" and "!", and letters beyond ASCII (RFC 6531).
_PLAIN = re.compile(r"<?([\w.#$&'*+/=?^`{|}~-]+)@([\w.-]*[\w-])\.?>?")
# Sendmail reports local users without a domain, and Postfix keeps literals: these hide nothing either.
_AS_PLAIN = re.compile(r"[A-Za-z0-9._+-]+(?:@\[[A-Za-z0-9.:]+\])?")
# Exchange encapsulated foreign addresses: IMCEASMTP-user+40dom@local (Q237927, Q264330).
_IMCEA = re.compile(r"imcea[a-z0-9]*[- ](.+)", re.IGNORECASE | re.DOTALL)
_PLUS_HEX = re.compile(r"\+([0-9a-f]{2})", re.IGNORECASE)
_LAST_DOMAIN = re.compile(r"<?(.*)@[ \t]*([\w.-]+|\[[^\]]*\])", re.DOTALL)
_HOST = re.compile(r"[a-z0-9._-]+")  # the characters of a folded domain that is not an address literal
_MAX_TEXT_CHARACTERS = 1024  # characters, more than any address in SMTP: NFKC takes quadratic time
_BLANKS = re.compile(r"[ \t\r\n]+")
_MAX_COMMAND_CHARACTERS = 4096  # characters: no MTA accepts a longer MAIL FROM
_MAX_READINGS = 32  # more than any legitimate address has: a text with that many layers is an attack


class Readings(NamedTuple):
    """All addresses that one text can mean, the address itself first; none if it is unreadable.

    `plain` is True if it hides nothing: it is local@domain, and what the MTA resolves it to does not matter.
    """

    mailboxes: tuple[Mailbox, ...]
    plain: bool

    def __bool__(self) -> bool:
        return bool(self.mailboxes)


@lru_cache(maxsize=128)  # several rules read each recipient, and few recipients are addressed at the same time
def read(text: str) -> Readings:
    """Return the readings of the address in `text`, with or without <>."""
    return _read(text)


def read_sender(text: str) -> Mailbox:
    """Return the address of MAIL FROM.

    If it has no domain, it is the address that it hides: Postfix rewrites dom!x to x@dom.
    Unreadable text is cut after its last domain, so that this domain still counts.
    """
    readings = _read(text)
    if readings.plain:
        return readings.mailboxes[0]
    try:
        local, domain = address_of(_inside(spell(text)))
    except Unreadable:
        cut = _LAST_DOMAIN.match(text)
        return mailbox_of(cut[1], cut[2]) if cut else mailbox_of(text.strip("<> \t"), "")
    hidden = () if domain else readings.mailboxes
    return next((mailbox for mailbox in hidden if mailbox.domain), mailbox_of(local, domain))


def read_senders(text: str) -> tuple[Mailbox, ...]:
    """Return every address that MAIL FROM can mean: that of `read_sender` first, then all that the text hides.

    A message is held if any of them is listed, so finding too many does less harm than finding too few.
    """
    first, readings = read_sender(text), _read(text)
    if readings.plain:
        return (first,)
    ends = (text[:_MAX_COMMAND_CHARACTERS], text[-_MAX_COMMAND_CHARACTERS:])
    # Sendmail replaces a blank inside a name with a dot (BlankSub).
    views = dict.fromkeys((*ends, *(_BLANKS.sub(".", end) for end in ends)))
    seen = (mailbox_of(local, domain) for view in views for local, domain in sightings(view))
    return tuple(dict.fromkeys((first, *readings.mailboxes, *seen)))


def read_resolved(text: str) -> Mailbox | None:
    """Return the address in the MTA's {rcpt_addr}; None if it is unknown or may itself mean another one."""
    readings = _read(text)
    return readings.mailboxes[0] if readings.plain or _AS_PLAIN.fullmatch(text) else None


def _read(text: str) -> Readings:
    simple = _PLAIN.fullmatch(text)
    if simple and text.startswith("<") == text.endswith(">") and not _disguised(text, *simple.groups()):
        return Readings((mailbox_of(simple[1], simple[2]),), plain=True)
    try:
        return Readings(tuple(_all(text)), plain=False)
    except Unreadable:
        return Readings((), plain=False)


def _disguised(text: str, local: str, domain: str) -> bool:
    if _IMCEA.fullmatch(local):
        return True
    return not text.isascii() and not (unicodedata.is_normalized("NFKC", text) and is_spelled_out(domain))


def _all(text: str) -> dict[Mailbox, None]:
    if len(text) > _MAX_TEXT_CHARACTERS:
        raise Unreadable("longer than any address")
    found: dict[Mailbox, None] = {}
    todo, seen = [text, unicodedata.normalize("NFKC", text)], set[str]()
    while todo:
        candidate = todo.pop(0)
        if candidate in seen:
            continue
        if len(seen) == _MAX_READINGS:
            raise Unreadable("too many layers")
        seen.add(candidate)
        local, domain = address_of(_inside(spell(candidate)))
        mailbox = mailbox_of(local, domain)
        if domain and not _HOST.fullmatch(mailbox.domain) and mailbox.literal is None:
            raise Unreadable("no domain that the MTAs agree on")
        if not is_spelled_out(domain):
            raise Unreadable("a domain that is one only after mapping: Sendmail sends it elsewhere")
        found[mailbox] = None
        todo += _hidden(local)
    return found


def _hidden(local: str) -> list[str]:
    """Return the addresses that a local part hides, each one layer deeper."""
    hidden = []
    if "@" in local:
        hidden.append(local)
    left, percent, right = local.rpartition("%")
    if percent:
        hidden.append(f"{left}@{right}")
    host, bang, user = local.partition("!")
    if bang:
        hidden.append(f"{user}@{host}")
    wrapped = _IMCEA.fullmatch(local)
    if wrapped:
        hidden.append(_PLUS_HEX.sub(lambda h: chr(int(h[1], 16)), wrapped[1]))
    return hidden


def _inside(spelling: Spelling) -> Spelling:
    """Return the text in the innermost <>: both MTAs deliver <Joe <alice@rig.test>> to alice."""
    opening = spelling.rfind("<")
    if opening < 0:
        return spelling.part(0)
    closing = spelling.find(">")
    if closing < opening or spelling.part(closing).text.strip("> \t"):
        raise Unreadable("the <> do not match")
    if any(routing in spelling.text[:opening] for routing in "@%!"):
        raise Unreadable("an address before the <>")
    return spelling.part(opening + 1, closing)
