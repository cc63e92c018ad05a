"""The turf table as administrators edit it: one entry is added or removed, and nothing else changes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from turfmilter.config.descent import open_file
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.readings import read_senders
from turfmilter.core.escape import escape, shell_word
from turfmilter.core.held.summary import addresses_in, summarise
from turfmilter.core.table.entry import Entry, Problem, Where, listed, parse_line, together
from turfmilter.core.table.pattern import Address, Domain, PatternError, exactly, parse_sender
from turfmilter.core.table.senders import SenderTable
from turfmilter.core.table.survey import survey, twins
from turfmilter.core.wrapped import listed_ones, pattern_of, untagged
from turfmilter.review.quarantines import Place
from turfmilter.rules.turf import ORIGINATORS

# For one message: its sender can write thousands of addresses into From:, and no administrator would check them.
_MAX_EXCEPTIONS = 10


class AlreadyThere(Exception):
    """The entry is already in the table; the text says where, and is escaped."""


class NotEdited(Exception):
    """The table was not changed; each line of the text says why.  It is escaped: an entry can be any text."""


Change = Callable[[str], str]
Rewrite = Callable[[Path, Change], None]


class TurfTable:
    """One table file.  `by` is who edits it.

    `rewrite` replaces the text of a file by what a function makes of it: no edit is lost if two are made at once, and
    nothing happens if the function raises an exception.
    """

    def __init__(self, path: Path, by: str, rewrite: Rewrite) -> None:
        self.path = path
        self._by = by
        self._rewrite = rewrite

    def add(self, entry: str, today: date, *, expires: date | None = None, why: str = "") -> tuple[Entry, list[str]]:
        """Add `entry` at the end; return it as it is in the table now, and warnings about it.

        Raises NotEdited and AlreadyThere.
        """
        line = self._line(entry, today, expires, why)
        added: list[tuple[Entry, list[str]]] = []

        def change(text: str) -> str:
            new = with_line(text, line)
            added.append(self._added(new, line, entry, today))
            return new

        with self._explained():
            self._rewrite(self.path, change)
        return added[0]

    def require_addable(self, entry: str, today: date, *, expires: date | None = None, why: str = "") -> None:
        """Raise what `add` would raise now, without changing anything."""
        line = self._line(entry, today, expires, why)
        with self._explained(), os.fdopen(open_file(self.path), "rb") as file:
            self._added(with_line(file.read().decode(), line), line, entry, today)

    def require_writable(self) -> None:
        """Raise NotEdited if the user of this process may not edit the table."""
        if not os.access(self.path.resolve().parent, os.W_OK):
            raise NotEdited(escape(f"{self.path}: its directory cannot be written to; start turfctl as root"))

    def remove(self, entry: str) -> list[Entry]:
        """Remove all entries that mean the same as `entry`, and return them.  Raises NotEdited."""
        gone: list[Entry] = []

        def change(text: str) -> str:
            gone[:] = self._same_entries(text, entry)
            return without_lines(text, {found.where.line for found in gone})

        with self._explained():
            self._rewrite(self.path, change)
        return gone

    def remove_exactly(self, entries: Sequence[Entry]) -> None:
        """Remove just these entries, each from its line.  Raises NotEdited if the table has changed since."""

        def change(text: str) -> str:
            lines = _lines(text)
            for entry in entries:
                line = lines[entry.where.line - 1] if entry.where.line <= len(lines) else ""
                there, _ = parse_line(line, entry.where, parse_sender)
                if there != entry:
                    raise NotEdited(escape(f"{entry.where}: was edited meanwhile; nothing was removed, try again"))
            return without_lines(text, {entry.where.line for entry in entries})

        with self._explained():
            self._rewrite(self.path, change)

    def require_removable(self, entry: str) -> None:
        """Raise what `remove` would raise now, without changing anything."""
        with self._explained(), os.fdopen(open_file(self.path), "rb") as file:
            self._same_entries(file.read().decode(), entry)

    def _same_entries(self, text: str, entry: str) -> list[Entry]:
        """Return the entries in `text` that mean the same as `entry`.  Raises NotEdited if there are none."""
        meant, problems = parse_line(entry, Where("entry"), parse_sender)
        _refuse(problems)
        found = twins(self.path.name, text, meant) if meant else []
        if not found:
            raise NotEdited(f'"{escape(entry)}" is not in {self.path.name}')
        return found

    def _line(self, entry: str, today: date, expires: date | None, why: str) -> str:
        with self._explained():
            return entry_line(entry, today, expires=expires, why=why, by=self._by)

    def _added(self, text: str, line: str, entry: str, today: date) -> tuple[Entry, list[str]]:
        """Return the entry in `line`, which is now the last one of `text`, and warnings about it."""
        name = self.path.name
        where = Where(name, text.count("\n"))
        mine, problems = parse_line(line, where, parse_sender)
        if mine is None:
            _refuse(problems)
            raise NotEdited(f'"{escape(entry)}" is not one entry')
        found = survey(name, text, mine.pattern)
        _refuse(found.problems)
        if mine.text != entry.strip():
            raise NotEdited(f'"{escape(entry)}" would be read as "{escape(mine.text)}"; one entry is added at a time')
        near = SenderTable([found.near])
        twin = next((other for other in near if other.where != where and _same(other, mine)), None)
        if twin and twin.valid_on(today):
            raise AlreadyThere(escape(f'{twin.where}: "{twin.text}" is already there'))
        warnings = [*near.problems, *near.warnings]
        return mine, [escape(str(warning)) for warning in warnings if warning.where == where]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what cannot be read, written or put into one line into NotEdited."""
        try:
            yield
        except UnicodeDecodeError:
            raise NotEdited(escape(f"{self.path}: not UTF-8; save the file in that encoding")) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise NotEdited(escape(f"{self.path}: {reason}")) from error


def exceptions_for(
    place: Place, table: SenderTable, today: date, *, originators: bool = False
) -> tuple[list[str], list[str]]:
    """Return the exceptions for sender and authors with which the message at `place` would not have been held.

    `originators`: the rule compares those as well.
    The second list says, escaped, why there is none for an address that changes with each message.
    Raises NotEdited if one of them cannot have an exception, or if there are too many; NotAMessage, FileNotFoundError
    and OSError.
    """
    with place.quarantine.open(place.message) as opened:
        summary = summarise(opened.file, place.message.id, opened.size, opened.written)
        fields = ("from", *(ORIGINATORS if originators else ()))
        writers = addresses_in(opened.file, place.message.id, fields)
    people = dict.fromkeys(listed_ones(table, read_senders(summary.sender or ""), today))
    people |= dict.fromkeys(who for who in writers if listed(table.match(who, today)))
    if len(people) > _MAX_EXCEPTIONS:
        raise NotEdited(
            f"{len(people)} of its addresses are listed, and for more than {_MAX_EXCEPTIONS} none is added: allow those"
            " that you trust with turfctl turf add"
        )
    changing = {who: pattern for who in people if (pattern := pattern_of(who)) is not None}
    try:
        entries = [f"!{exactly(who)}" for who in people if who not in changing]
    except PatternError as error:
        raise NotEdited(escape(error.wrong)) from error
    return entries, [_changes(who, pattern, "!") for who, pattern in changing.items()]


def doubts(entry: str) -> list[str]:
    """Return the reasons, escaped, not to add `entry` like this: its address changes with each message."""
    found, _ = parse_line(entry, Where("entry"), parse_sender)
    if found is None or not isinstance(found.pattern, Address):
        return []
    mailbox, sign = Mailbox(found.pattern.local, found.pattern.domain), "!" if found.exception else ""
    inner, pattern = untagged(mailbox), pattern_of(mailbox)
    if pattern is not None:
        return [_changes(mailbox, pattern, sign)]
    if inner:
        tagged = escape(str(mailbox))
        return [f"{tagged}: BATV has added a tag, which soon is another one; {_command(f'{sign}{inner}')}"]
    return []


def meaning(entry: Entry) -> str:
    """Return what is often misunderstood about an entry of this form; "" if nothing is."""
    pattern = entry.pattern
    if isinstance(pattern, Domain) and not pattern.exact:
        return f"this means {pattern.domain} and every subdomain; =@{pattern.domain} is for only it"
    return ""


def _changes(mailbox: Mailbox, pattern: str, sign: str) -> str:
    """Return the sentence that only a pattern matches the next message of `mailbox`."""
    offered = _command(f"{sign}{pattern or f'=@{mailbox.domain}'}")
    everyone = "" if pattern else ", which matches every address of the domain"
    who = escape(str(mailbox))
    return f"{who} looks like an address that is another one in each message (VERP, SRS); {offered}{everyone}"


def _command(entry: str) -> str:
    end_of_options = "-- " if entry.startswith("-") else ""
    return f"what matches it each time is added with: turfctl turf add {end_of_options}{shell_word(entry)}"


def _same(one: Entry, other: Entry) -> bool:
    return one.pattern == other.pattern and one.exception == other.exception


def _refuse(problems: Iterable[Problem]) -> None:
    errors = together([problem for problem in problems if not problem.warning])
    said = "\n".join(escape(str(error)) for error in errors)
    if said:
        raise NotEdited(said)


_PLAIN = re.compile(r"[A-Za-z0-9._@:/+-]+")


def entry_line(entry: str, today: date, *, expires: date | None = None, why: str = "", by: str = "") -> str:
    """Return an entry with its notes, and the day on which it was added as a comment.

    Raises ValueError for what cannot be written in one line.
    """
    if not entry.strip() or entry.lstrip().startswith("#") or not entry.isprintable():
        raise ValueError(f"{entry!a} is not one entry; write one such as @spam.example")
    notes = {"expires": expires.isoformat() if expires else "", "why": why, "by": by}
    written = [f"{name}={_quoted(value)}" for name, value in notes.items() if value]
    return " ".join((entry, *written, f"# {today.isoformat()}"))


def with_line(text: str, line: str) -> str:
    """Return `text` with one more line at its end."""
    end = "\r\n" if "\r\n" in text else "\n"
    return text + (end if text and not text.endswith("\n") else "") + line + end


def without_lines(text: str, numbers: Container[int]) -> str:
    """Return `text` without the lines with these numbers, counted from 1."""
    return "".join(line for number, line in enumerate(_lines(text), 1) if number not in numbers)


def _lines(text: str) -> list[str]:
    """Return the lines as editors count them, each with its end; splitlines() recognises too many line ends."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _quoted(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a note is one line of text without control characters")
    if _PLAIN.fullmatch(value):
        return value
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f'"{escaped}"'


def standing(said: str, table: Iterable[Entry], today: date) -> str:
    """Return in words what has happened to an entry; `said` is the entry and its place as the block has them."""
    # The text of an entry may contain blanks, and so may the name of its file.
    same = [entry for entry in table if said.startswith(f"{entry.text} ")]
    if not same:
        return "no longer there"
    entry = max(same, key=lambda entry: len(entry.text))
    if not entry.valid_on(today):
        return f"expired on {entry.expires}"
    return "still there" if str(entry) == said else f"still there, now at {entry.where}"
