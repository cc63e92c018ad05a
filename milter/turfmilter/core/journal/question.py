"""Which transactions of the journal are wanted: a quick look at the line as it is written, then all conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from json import dumps

from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.mailbox import IPAddress, Mailbox, parse_address
from turfmilter.core.address.readings import read, read_senders
from turfmilter.core.held.selection import Selection, Sender
from turfmilter.core.journal.transaction import Answer, Transaction
from turfmilter.core.table.interval import Interval
from turfmilter.core.table.pattern import Address, Domain, Glob, Local, Name

_CLIENT = b'"client":"'
# Values, in lower case, in which an address may be spelled so that it is not found as a text: encapsulated,
# escaped (as JSON writes whatever is not ASCII), with blanks or comments, or in an encoded word (RFC 2047).
_IN_SENDER = re.compile(rb'"sender":"[^"]*?(?:imcea|[\\ (])')
_IN_RECIPIENT = re.compile(rb'"rcpt":"[^"]*?(?:imcea|[\\ (])')
_IN_AUTHOR = re.compile(rb'"from":\[.*?(?:imcea|=\?|\\[^"]|@[^">,]*(?:[ (]|\\"))')


@dataclass(frozen=True, slots=True)
class Question:
    """Conditions on transactions; "" is none.

    `selection` are those that held messages have as well.  `verdict` and the rule and entry in `selection` may be those
    of the message, of one of its recipients, or of a rule in trial mode.
    """

    selection: Selection = Selection()  # noqa: RUF009 - frozen
    verdict: str = ""
    account: str = ""

    def quick(self) -> Callable[[bytes], bool]:
        """Return a function that is False for most lines that are not wanted, without parsing them."""
        needles = [needle.encode() for needle in self._needles()]
        parts = [(part.encode(), disguised) for part, disguised in self._parts()]
        client = self.selection.client

        def may_be(line: bytes) -> bool:
            if needles or parts:
                folded = line.lower()
                if not all(needle in folded for needle in needles):
                    return False
                if not all(part in folded or disguised.search(folded) for part, disguised in parts):
                    return False
            return not isinstance(client, Interval) or _has_client(line, client)

        return may_be

    def wants(self, transaction: Transaction) -> bool:
        """Return True if the transaction meets all conditions."""
        return all(self._conditions(transaction))

    def _needles(self) -> Iterator[str]:
        """Yield texts that a line has, in lower case, if it is wanted."""
        selection = self.selection
        if selection.rule:
            yield f'"{selection.rule}"'.lower()
        if selection.entry:
            yield dumps(selection.entry)[1:-1].lower()
        if self.verdict:
            yield f'"{self.verdict}"'
        if self.account.isascii() and self.account:  # the case of other letters is hidden by the escapes of JSON
            yield f'"account":{dumps(self.account.lower())}'[:-1]
        if isinstance(selection.client, Name):
            yield selection.client.domain

    def _parts(self) -> Iterator[tuple[str, re.Pattern[bytes]]]:
        """Yield what an address has if it is wanted, and the disguises with which it need not be found."""
        selection = self.selection
        for pattern, disguised in (
            (selection.sender, _IN_SENDER),
            (selection.recipient, _IN_RECIPIENT),
            (selection.author, _IN_AUTHOR),
        ):
            match pattern:
                # A name in A-labels may be written in U-labels, and an address literal in several ways.
                case Address(_, domain) | Glob(_, domain) | Domain(domain):
                    if domain and "xn--" not in domain and not domain.startswith("["):
                        yield domain, disguised
                # In From:, quotation marks inside a local part are as frequent as around a name.
                case Local(local) if disguised is not _IN_AUTHOR and local.isascii() and local.isalnum():
                    yield local, disguised

    def _conditions(self, transaction: Transaction) -> Iterator[bool]:
        selection, answers = self.selection, list(_answers(transaction))
        if selection.sender:
            yield _any(selection.sender, read_senders(transaction.sender) if transaction.sender is not None else ())
        if selection.author:
            yield _any(selection.author, read_authors((transaction.fields or {}).get("from", ())).mailboxes)
        if selection.recipient:
            recipients = (read(one.recipient.text).mailboxes for one in transaction.tried)
            yield any(_any(selection.recipient, mailboxes) for mailboxes in recipients)
        if selection.client:
            yield _is_client(selection.client, transaction)
        if selection.rule:
            yield any(answer.rule == selection.rule for answer in answers)
        if selection.entry:
            yield any(_has_entry(answer.entry, selection.entry) for answer in answers)
        if self.verdict:
            yield any(answer.verdict == self.verdict for answer in answers)
        if self.account:
            yield self.account.lower() in (transaction.account.lower(), transaction.account.lower().partition("@")[0])
        yield from self._measures(transaction)

    def _measures(self, transaction: Transaction) -> Iterator[bool]:
        selection = self.selection
        if selection.since:
            yield transaction.time >= selection.since
        if selection.before:
            yield transaction.time < selection.before
        if selection.larger:
            yield (transaction.size or 0) > selection.larger
        if selection.smaller:
            yield transaction.size is not None and transaction.size < selection.smaller


def _answers(transaction: Transaction) -> Iterator[Answer]:
    yield transaction.answer
    yield from (one.answer or Answer("accept") for one in transaction.tried if one.answer)
    yield from (Answer(trial.verdict, trial.rule, trial.entry) for trial in transaction.trials)


def _has_entry(entry: str, wanted: str) -> bool:
    """Return True if `wanted` is the text or the place of an entry."""
    # Either may contain blanks.
    return entry == wanted or entry.startswith(f"{wanted} ") or entry.endswith(f" {wanted}")


def _any(pattern: Sender, mailboxes: Iterable[Mailbox]) -> bool:
    return any(_matches(pattern, mailbox) for mailbox in mailboxes)


def _matches(pattern: Sender, mailbox: Mailbox) -> bool:
    match pattern:
        case Address(local, domain):
            return mailbox == (local, domain)
        case Glob(_, domain):
            return mailbox.domain == domain and pattern.matches(mailbox.local)
        case Domain(domain, exact):
            return _is_name(mailbox.domain, domain, exact=exact)
        case Local(local):
            return mailbox.local == local


def _is_name(name: str, wanted: str, *, exact: bool) -> bool:
    return name == wanted or (not exact and name.endswith(f".{wanted}"))


def _is_client(pattern: Interval | Name, transaction: Transaction) -> bool:
    connection = transaction.connection
    if isinstance(pattern, Interval):
        return connection.client is not None and _within(pattern, connection.client)
    names = connection.names.known
    every = (connection.name, *(names.confirmed if names else ()), *(names.claimed if names else ()))
    return any(_is_name(name, pattern.domain, exact=pattern.exact) for name in every)


def _has_client(line: bytes, wanted: Interval) -> bool:
    start = line.find(_CLIENT) + len(_CLIENT)
    address = _parsed(line[start : line.find(b'"', start)]) if start >= len(_CLIENT) else None
    return address is not None and _within(wanted, address)


def _within(interval: Interval, address: IPAddress) -> bool:
    return interval.version == address.version and interval.first <= int(address) <= interval.last


@lru_cache(maxsize=4096)
def _parsed(text: bytes) -> IPAddress | None:
    return parse_address(text.decode("ascii", "replace"))
