"""Senders that a mail server derives from another address: BATV, SRS and VERP.

BATV (draft-levine-smtp-batv) adds a tag to the local part, SRS (www.open-spf.org/SRS) replaces the sender with an
address of the forwarder, and VERP (cr.yp.to/proto/verp.txt) includes the recipient or a number in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from turfmilter.core.address.mailbox import Mailbox, fold_domain
from turfmilter.core.table.entry import Entry, listed
from turfmilter.core.table.pattern import Address, Domain, Glob, Local
from turfmilter.core.table.senders import SenderTable

# prvs=TAG=user, the early draft's prvs=user/TAG, and the variants of Momentum and Barracuda, all in lower case.
_BATV = re.compile(r"(?:ms)?prvs\d?=[^=/]+=(.+)|prvs=([^=/]+)/[^/]+|btv1==[^=]+==(.+)")
_SRS0 = re.compile(r"srs0[=+-][^=]*=[^=]*=([^=]+)=(.+)")  # hash, timestamp, domain, user
_SRS1 = re.compile(r"srs1[=+-][^=]*=([^=]+)=([=+-].+)")  # hash, first forwarder, what follows "SRS0" in its address
_NUMBER = r"\d{5,}|(?=[a-z0-9]{10})[a-z]*\d+[a-z]+\d[a-z0-9]*"  # of a message: decimal, or in another base
_NUMBERED = re.compile(rf"(?:^|[-+.=_/])({_NUMBER})(?![a-z0-9])")
_RECIPIENT = re.compile(r"[^=]*[-+][^=]*=[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_HEAD = re.compile(r"(?:.*?(?:bounces?|returns?|errors?|owner)|[^-+]*)[-+]+")
_MAX_LOCAL_PART_CHARACTERS = 512  # characters of a local part; RFC 5321 §4.5.3.1.4: the limit of a whole command line
_MAX_LAYERS = 8  # more than any mail passes: SRS1 keeps the number of layers at two
_RANKS = {Address: 0, Glob: 1, Domain: 2, Local: 3}  # the order of SenderTable: the most specific first


def match_sender(table: SenderTable, mailboxes: Iterable[Mailbox], today: date) -> Entry | None:
    """Return the entry of `table` that decides about a sender that can be read as any of `mailboxes`.

    It is an entry that lists one of them, or an address that SRS wrapped in it; otherwise the first exception.
    """
    first = None
    for _, entry in _decisions(table, mailboxes, today):
        if listed(entry):
            return entry
        first = first or entry
    return first


def listed_ones(table: SenderTable, mailboxes: Iterable[Mailbox], today: date) -> list[Mailbox]:
    """Return those of `mailboxes`, and of the addresses wrapped in them, that `table` lists, without their tags."""
    return [untagged(one) or one for one, entry in _decisions(table, mailboxes, today) if listed(entry)]


def layers(mailbox: Mailbox) -> Iterator[Mailbox]:
    """Yield `mailbox` and the addresses that SRS wrapped in it, from the outermost to the innermost."""
    for _ in range(_MAX_LAYERS):
        yield mailbox
        inner = _forwarded(untagged(mailbox) or mailbox)
        if inner is None:
            return
        mailbox = inner


def untagged(mailbox: Mailbox) -> Mailbox | None:
    """Return the address to which BATV added a tag; None if there is no tag."""
    tagged = _BATV.fullmatch(mailbox.local)
    return Mailbox(next(filter(None, tagged.groups())), mailbox.domain) if tagged else None


def pattern_of(mailbox: Mailbox) -> str | None:
    """Return an entry for all addresses that differ from `mailbox` only in a number, a hash or a recipient.

    The entry contains no BATV tag.  Return None if no part looks as if it were different in each message, and "" if
    nothing else would remain.
    """
    local = (untagged(mailbox) or mailbox).local
    if len(local) > _MAX_LOCAL_PART_CHARACTERS:
        return None
    if inner := _SRS0.fullmatch(local):
        return f"srs0=*={inner[1]}={inner[2]}@{mailbox.domain}"
    if _SRS1.fullmatch(local):
        return f"srs1=*=*={local.rpartition('=')[2]}@{mailbox.domain}"
    number, recipient = _NUMBERED.search(local), _RECIPIENT.fullmatch(local)
    ends = [number.start(1)] if number and number[1] != local else []
    if recipient and (head := _HEAD.match(local)):
        ends.append(head.end())
    if not ends:
        return None
    kept = local[: min(ends)]
    return f"{kept}*@{mailbox.domain}" if re.search("[a-z]{2}", kept) else ""


def _decisions(table: SenderTable, mailboxes: Iterable[Mailbox], today: date) -> Iterator[tuple[Mailbox, Entry | None]]:
    return ((layer, _match(table, layer, today)) for mailbox in mailboxes for layer in layers(mailbox))


def _match(table: SenderTable, mailbox: Mailbox, today: date) -> Entry | None:
    """Return the entry for an address with or without its tag.

    The tag does not identify the sender, so the more specific of two entries decides.  Both addresses are in the
    same domain, so a sender gains nothing by making up a tag.
    """
    inner = untagged(mailbox)
    found = [table.match(one, today) for one in (mailbox, inner) if one]
    return min(filter(None, found), key=lambda entry: (_RANKS[type(entry.pattern)], entry.exception), default=None)


def _forwarded(mailbox: Mailbox) -> Mailbox | None:
    """Return the address that a forwarder wrapped in its own; None if `mailbox` is not an SRS address."""
    if again := _SRS1.fullmatch(mailbox.local):
        return Mailbox(f"srs0{again[2]}", fold_domain(again[1]))
    once = _SRS0.fullmatch(mailbox.local)
    return Mailbox(once[2], fold_domain(once[1])) if once else None
