"""Sendmail's class files: relay-domains, local-host-names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turfmilter.core.table.entry import Entry, Parse, Problem, Where
from turfmilter.importers.words import OWN_FILE, Dialect, Of, Word, named, translate

_IPV4_PREFIX = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}", re.ASCII)
_IPV6 = re.compile(r"IPv6:([0-9a-f:.]+)", re.IGNORECASE)
_GROUPS = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6}", re.IGNORECASE)

_FOREIGN = {
    r"[!=]": ("a sign that has no meaning in a class file", OWN_FILE),
    r"(?!ipv6:)[a-z]+:|(?:RELAY|OK|REJECT|DISCARD)\Z": (
        "a line of the access map",
        "a class file has one name or address on each line",
    ),
    r".*@": ("a mail address in a class file", OWN_FILE),
    r".*/|.*-.*\.\d+\Z": ("a network in a notation unknown to Sendmail", "Sendmail writes 192.0.2 for 192.0.2.0/24"),
}


def read_sendmail(
    lines: Iterable[str], source: str, parse: Parse, of: Of, *, below: bool | None = None
) -> tuple[list[Entry], list[Problem]]:
    """Return the entries in one of Sendmail's class files, and its errors and warnings; `source` is the file's name.

    In relay-domains (class R) a domain covers its subdomains, unless the .mc file has FEATURE(`relay_hosts_only');
    in local-host-names (class w) it does not.  `below` tells it if the name of the file does not.
    """
    wide = named(source, "relay-domains") if below is None else below
    words = [
        Word(word, Where(source, number))
        for number, line in enumerate(lines, 1)
        for word in line.removeprefix("\ufeff").partition("#")[0].split()  # the file is read with %[^\#]
    ]
    return translate(words, Dialect(_FOREIGN, our_network), parse, of, below=wide)


def our_network(word: str) -> str:
    """Return our spelling of a network, which MTAs write as the numbers with which its addresses begin."""
    word = word.removeprefix("[").removesuffix("]")
    if _IPV4_PREFIX.fullmatch(word):
        numbers = word.split(".")
        return f"{'.'.join(numbers + ['0'] * (4 - len(numbers)))}/{8 * len(numbers)}"
    ipv6 = _IPV6.fullmatch(word)
    if ipv6 and _GROUPS.fullmatch(ipv6[1]):
        return f"{ipv6[1]}::/{16 * (ipv6[1].count(':') + 1)}"
    return ipv6[1] if ipv6 else word
