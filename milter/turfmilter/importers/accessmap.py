"""The entries of access maps, Postfix's access(5) and Sendmail's access_db, as entries of our tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from turfmilter.core.table.entry import Where
from turfmilter.core.table.pattern import PatternError, parse_host, parse_sender
from turfmilter.importers.draft import Draft
from turfmilter.importers.sendmail import our_network

NO_WORD = "turfmilter has nothing that does the same"


class Does(Enum):
    """What the MTA does with mail that an entry matches; the value is the word for messages."""

    REFUSE = "rejects"
    ACCEPT = "accepts"
    LEAVE = "decides nothing"
    DISCARD = "discards"
    HOLD = "holds"


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a map: its key, its right-hand side, and its place."""

    key: str
    value: str
    where: Where

    def __str__(self) -> str:
        return f"{self.key} {self.value}".strip()


def rows(lines: Iterable[str], source: str) -> Iterator[Row]:
    """Yield the entries in the source of a map; a line that begins with white space continues the one above it."""
    waiting: Row | None = None
    for number, line in enumerate(lines, 1):
        text = line.removeprefix("\ufeff").rstrip()
        if not text or text.lstrip().startswith("#"):
            continue
        if text[0].isspace() and waiting:
            waiting = Row(waiting.key, f"{waiting.value} {text.strip()}".strip(), waiting.where)
            continue
        if waiting:
            yield waiting
        key, *value = text.split(None, 1)
        waiting = Row(key, value[0] if value else "", Where(source, number))
    if waiting:
        yield waiting


def client_entry(key: str, *, below: bool = True) -> str:
    """Return the entry for a client's address, network or name; `below`: a name covers its subdomains.

    Raises PatternError.
    """
    bare = re.sub(r"\A\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]", r"\1", key)
    is_ipv6 = ":" in bare and "/" not in bare and not bare.lower().startswith("ipv6:")
    entry = our_network(f"IPv6:{bare}" if is_ipv6 else bare)
    if entry.startswith("."):
        raise PatternError("the subdomains without the domain itself", f"write {entry[1:]} and !={entry[1:]}")
    named = entry == bare and not re.search(r"[:/]|\A[\d.]+\Z", entry)
    entry = f"={entry}" if named and not below else entry
    parse_host(entry)
    return entry


def sender_entry(key: str, *, below: bool = True) -> str:
    """Return the entry for a sender's address or domain; `below`: a domain covers its subdomains.

    Raises PatternError.
    """
    entry = key
    if key.startswith("."):
        raise PatternError("the subdomains without the domain itself", f"write @{key[1:]} and !=@{key[1:]}")
    if "@" not in key and key != "<>":
        entry = f"@{key}" if below else f"=@{key}"
    parse_sender(entry)
    return entry


def add_client(draft: Draft, row: Row, does: Does, *, below: bool = True) -> None:
    """Add what an entry does with clients to the lists of [connect], or report why not."""
    try:
        entry = client_entry(row.key, below=below)
    except PatternError as error:
        draft.lost(row.where, str(row), error.wrong, error.meant)
        return
    if does is Does.ACCEPT:
        draft.add("connect.allow", entry, row.where)
    elif does in (Does.REFUSE, Does.LEAVE):
        draft.add("connect.deny", entry if does is Does.REFUSE else f"!{entry}", row.where)
    else:
        wrong = f"it {does.value} the mail of a client, and {NO_WORD}"
        draft.lost(row.where, str(row), wrong, f'to reject it, add {entry} to "deny" of [connect]')


def drop_needless(draft: Draft) -> None:
    """Remove `allow` of [connect] if nothing is denied: then every client may connect anyway."""
    if not draft.entries("connect.deny"):
        draft.remove("connect.allow")


class Senders:
    """What maps do with senders, until all are read: the turf table has one answer for all of its entries."""

    def __init__(self) -> None:
        self._found: list[tuple[Row, str, Does]] = []

    def add(self, draft: Draft, row: Row, does: Does, *, below: bool = True) -> None:
        """Remember an entry, or report why it cannot be one."""
        try:
            self._found.append((row, sender_entry(row.key, below=below), does))
        except PatternError as error:
            draft.lost(row.where, str(row), error.wrong, error.meant)

    def finish(self, draft: Draft, quarantine: str) -> None:
        """Write the turf table; entries that do something other than the strictest of all are reported."""
        done = {does for _, _, does in self._found}
        chosen = next((one for one in (Does.REFUSE, Does.HOLD, Does.DISCARD) if one in done), None)
        for row, entry, does in self._found:
            if does in (Does.ACCEPT, Does.LEAVE):
                if chosen:
                    draft.add("turf.tables", f"!{entry}", row.where)
            elif does is chosen:
                draft.add("turf.tables", entry, row.where)
            elif chosen:
                wrong = f"it {does.value} mail, but another entry {chosen.value} it; [turf] does one of them for all"
                draft.lost(row.where, str(row), wrong, f"decide whether {entry} belongs in the turf table")
        if chosen:
            self._set(draft, chosen, quarantine)

    def _set(self, draft: Draft, chosen: Does, quarantine: str) -> None:
        why = "Access maps are compared with the sender (MAIL FROM) only."
        draft.set("turf.match", ["sender"], why)
        if chosen is Does.DISCARD:
            draft.set("turf.discard", True)
            return
        draft.set("turf.directory", quarantine, "This directory must exist.")
        if chosen is Does.REFUSE:
            draft.set("turf.answer", "reject", "The client receives 550; a copy of the message is held.")
