"""Converts the words in an MTA's files into entries of our tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from turfmilter.core.address.hostname import looks_numeric
from turfmilter.core.address.mailbox import fold_domain
from turfmilter.core.table.entry import Entry, Parse, Problem, Where, parse_entry

_NAME = re.compile(r"[^@<>\[\]/:;=]+")
OWN_FILE = 'write such entries in a file of your own, "file:PATH"'  # advice for what an MTA's file cannot contain


class Of(Enum):
    """What a list contains, which determines what a bare domain means to the MTAs."""

    DOMAINS = "domains"
    CLIENTS = "clients"
    SENDERS = "senders"


@dataclass(frozen=True, slots=True)
class Word:
    """One entry as written in the MTA's file, including its "!"."""

    text: str
    where: Where

    @property
    def exception(self) -> bool:
        """True if the word begins with "!"."""
        return self.text.startswith("!")

    @property
    def body(self) -> str:
        """The word without its "!"."""
        return self.text.removeprefix("!")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one MTA writes entries.

    `foreign` are regular expressions for words that cannot be entries here, each with what is wrong and what to do;
    they are compared with the beginning of a word, both with and without its "!".
    `address` returns our spelling of an address or network, and any other word unchanged.
    """

    foreign: Mapping[str, tuple[str, str]]
    address: Callable[[str], str]


def translate(
    words: Sequence[Word], dialect: Dialect, parse: Parse, of: Of, *, below: bool
) -> tuple[list[Entry], list[Problem]]:
    """Return the entries that the words mean, and all problems.

    `below` is True if a bare domain covers its subdomains.  If any word begins with a dot (".isp.example"), the MTA
    is configured so that bare domains do not.
    """
    dotted = {(word.exception, fold_domain(word.body[1:])) for word in words if _is_dotted(word)}
    bare = {(word.exception, fold_domain(word.body)) for word in words}
    entries: list[Entry] = []
    problems: list[Problem] = []
    for word in words:
        wrong = _refusal(word, dialect)
        if _is_dotted(word) and wrong is None:
            if (word.exception, fold_domain(word.body[1:])) in bare:
                continue  # isp.example and .isp.example together are one entry
            wrong = _only_below(word.body[1:])
        if wrong:
            problems.append(Problem(word.where, word.text, *wrong))
            continue
        wide = (word.exception, fold_domain(word.body)) in dotted if dotted else below
        entry, found = parse_entry(word.text, word.where, _reading(_ours(dialect.address(word.body), of, wide), parse))
        problems += found
        entries += [entry] if entry else []
    return entries, problems


def named(source: str, name: str) -> bool:
    """Return True if the file `source` has this name, in any directory."""
    return source.rpartition("/")[2] == name


def _reading(ours: str, parse: Parse) -> Parse:
    return lambda _: parse(ours)


def _is_dotted(word: Word) -> bool:
    return word.body.startswith(".") and len(word.body) > 1


def _refusal(word: Word, dialect: Dialect) -> tuple[str, str] | None:
    for pattern, wrong in dialect.foreign.items():
        if any(re.match(pattern, text, re.IGNORECASE) for text in (word.text, word.body)):
            return wrong
    return None


def _only_below(name: str) -> tuple[str, str]:
    wrong = "the subdomains without the domain itself, for which there is no entry here"
    return wrong, f'add {name} to the file, or write {name} and !={name} in a file of your own, "file:PATH"'


def _ours(word: str, of: Of, wide: bool) -> str:
    """Return the word in our pattern language."""
    at = "@" if of is Of.SENDERS else ""
    if at and word.startswith("@"):
        return f"={word}"  # to the MTAs, @domain never covers subdomains
    if not _NAME.fullmatch(word) or looks_numeric(word):
        return word
    return f"{at}{word}" if wide else f"={at}{word}"
