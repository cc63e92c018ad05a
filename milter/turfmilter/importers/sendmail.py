"""Class files of Sendmail: relay-domains, local-host-names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turfmilter.core.table.entry import Entry, Parse, Problem, Where
from turfmilter.importers.words import Dialect, Of, Word, named, translate

_IPV4_PREFIX = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}", re.ASCII)
_IPV6 = re.compile(r"IPv6:([0-9a-f:.]+)", re.IGNORECASE)
_GROUPS = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6}", re.IGNORECASE)

_FOREIGN = {
    r"[!=]": ("no mark of Sendmail's", "write the entries into a file: of your own"),
    r"(?!ipv6:)[a-z]+:|(?:RELAY|OK|REJECT|DISCARD)\Z": (
        "a line of the access map",
        "a class file holds one name or address a line",
    ),
    r".*@": ("a mail address in a class file", "write it into a file: of your own"),
    r".*/|.*-.*\.\d+\Z": ("a network that Sendmail does not know", "it writes 192.0.2 for 192.0.2.0/24"),
}


def read_sendmail(
    lines: Iterable[str], source: str, parse: Parse, of: Of, *, below: bool | None = None
) -> tuple[list[Entry], list[Problem]]:
    """The entries in a class file of Sendmail, and all of its problems; `source` is the file's name.

    In relay-domains (class R) a domain holds its subdomains, unless the .mc file says FEATURE(`relay_hosts_only');
    in local-host-names (class w) it does not.  `below` says so where it is not the file's name that tells.
    """
    wide = named(source, "relay-domains") if below is None else below
    words = [
        Word(word, Where(source, number))
        for number, line in enumerate(lines, 1)
        for word in line.removeprefix("\ufeff").partition("#")[0].split()  # the file is read with %[^\#]
    ]
    return translate(words, Dialect(_FOREIGN, _address), parse, of, below=wide)


def _address(word: str) -> str:
    """Our spelling of a network, which Sendmail writes as the numbers that its addresses begin with."""
    word = word.removeprefix("[").removesuffix("]")
    if _IPV4_PREFIX.fullmatch(word):
        numbers = word.split(".")
        return f"{'.'.join(numbers + ['0'] * (4 - len(numbers)))}/{8 * len(numbers)}"
    ipv6 = _IPV6.fullmatch(word)
    if ipv6 and _GROUPS.fullmatch(ipv6[1]):
        return f"{ipv6[1]}::/{16 * (ipv6[1].count(':') + 1)}"
    return ipv6[1] if ipv6 else word
