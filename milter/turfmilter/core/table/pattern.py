"""The pattern language: what an entry of a table, or of a list in the configuration, matches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from turfmilter.core.address.hostname import PatternError, looks_numeric, parse_name
from turfmilter.core.address.mailbox import Mailbox, fold_domain, literal_address, parse_address
from turfmilter.core.table.foreign import HOST_DOUBTS, HOST_HINTS, SENDER_HINTS, foreign
from turfmilter.core.table.interval import Interval, IntervalKind, parse_interval

__all__ = [
    "Address",
    "Domain",
    "Glob",
    "Interval",
    "IntervalKind",
    "Local",
    "Name",
    "Parts",
    "Pattern",
    "PatternError",
    "doubt",
    "exactly",
    "made_of",
    "parse_host",
    "parse_sender",
    "parts_of",
]

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)+)"')
_SPECIAL = re.compile(
    r'[\s\x00-\x1f\x7f()<>\[\]:;,\\"@]'
)  # RFC 5322 §3.2.3; but dots are allowed anywhere, as in real addresses


@dataclass(frozen=True, slots=True)
class Name:
    """A host or domain name; unless `exact`, also every name below it."""

    domain: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Address:
    """One mail address, folded as a Mailbox is; Address("", "") is the empty sender."""

    local: str
    domain: str


@dataclass(frozen=True, slots=True)
class Glob:
    """A local part with one or two "*", each for any number of characters, at exactly one domain."""

    local: str
    domain: str

    def matches(self, local: str) -> bool:
        """Return True if the folded local part `local` matches."""
        head, *middle, tail = self.local.split("*")
        end = len(local) - len(tail)
        fits = end >= len(head) and local.startswith(head) and local.endswith(tail)
        return fits and all(part in local[len(head) : end] for part in middle)

    @property
    def literals(self) -> int:
        """The number of characters other than "*": the more, the more specific."""
        return len(self.local) - self.local.count("*")


@dataclass(frozen=True, slots=True)
class Domain:
    """Every mail address at a domain; unless `exact`, also those at its subdomains."""

    domain: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Local:
    """One local part at any domain, or without one."""

    local: str


Pattern = Interval | Name | Address | Glob | Domain | Local
# A pattern as a tuple of its class and its fields.  Loading makes and hashes one for each entry, and lookups several:
# a tuple takes a fraction of the time of a dataclass.
Parts = tuple[Any, ...]


def parts_of(pattern: Pattern) -> Parts:
    """Return the parts of `pattern`."""
    return type(pattern), *(getattr(pattern, name) for name in pattern.__match_args__)


def made_of(parts: Parts) -> Pattern:
    """Return the pattern with these parts."""
    pattern: Pattern = parts[0](*parts[1:])
    return pattern


def parse_host(text: str) -> Interval | Name:
    """Parse an entry in a list of clients, local addresses or domains.  Raises PatternError."""
    try:
        return _host(text)
    except PatternError as error:
        raise foreign(text, HOST_HINTS) or error from None


def parse_sender(text: str) -> Address | Glob | Domain | Local:
    """Parse an entry in a list of mail addresses.  Raises PatternError."""
    try:
        return _sender(text)
    except PatternError as error:
        raise foreign(text, SENDER_HINTS) or error from None


def exactly(mailbox: Mailbox) -> str:
    """Return the text of the entry that matches only this address.  Raises PatternError if there is none.

    A sender can choose an address that, without quotes, would be another entry or several words.
    """
    wanted = Address(mailbox.local, mailbox.domain)
    quoted = re.sub(r'(["\\])', r"\\\1", mailbox.local)
    for text in (str(mailbox) or "<>", f'"{quoted}"@{mailbox.domain}'):
        try:
            if parse_sender(text) == wanted and (text.startswith('"') or " " not in text):
                return text
        except PatternError:
            continue
    raise PatternError(f'no entry matches "{mailbox}" and nothing else')


def doubt(text: str, pattern: Pattern) -> tuple[str, str] | None:
    """Return what is doubtful about a valid entry without its "!", and what may have been meant; None if nothing is."""
    if isinstance(pattern, Glob) and text.startswith(".*"):
        return 'a "." in front of a "*" is an ordinary character', "this is not a regular expression"
    if not isinstance(pattern, Domain | Name):
        return None
    at, domain = "@" if isinstance(pattern, Domain) else "", pattern.domain
    if not pattern.exact and "." not in domain:
        meant_otherwise = foreign(domain, HOST_DOUBTS) if isinstance(pattern, Name) else None
        if meant_otherwise:
            return meant_otherwise.wrong, meant_otherwise.meant
        return f'a single label: everything below ".{domain}" matches', f"={at}{domain} matches that name alone"
    if text.startswith("*"):
        return f"this means =@{domain}", f"@{domain} matches the subdomains too"
    return None


def _host(text: str) -> Interval | Name:
    name = text.removeprefix("=")
    interval = parse_interval(name)
    if interval is None:
        return Name(parse_name(name, text.removesuffix(name)), exact=name != text)
    if name != text:
        raise PatternError('"=" is only for names', f"probably meant {name}")
    return interval


def _sender(text: str) -> Address | Glob | Domain | Local:
    if text in ("<>", "."):  # "." is how Exchange wrote the empty sender
        return Address("", "")
    if text.startswith("#"):
        raise PatternError('"#" starts a comment', _meant_by_comment(text))
    local, at, domain = text.rpartition("@")
    if not at:
        raise PatternError('the "@" is missing', _meant_without_at(text))
    if not domain:
        return Local(_local(local, text))
    if local == "":
        folded = _domain(domain.removeprefix("."), "@")
        return Domain(folded, exact=folded.startswith("["))  # a literal has no subdomains
    if local == "=":
        return Domain(_domain(domain, "=@"), exact=True)
    return _at_domain(_local(local, text), _domain(domain, f"{local}@"), quoted=local.startswith('"'))


def _at_domain(local: str, domain: str, *, quoted: bool) -> Address | Glob | Domain:
    """Return the pattern for a folded local part and domain; in a quoted local part, "*" is an ordinary character."""
    if quoted or "*" not in local:
        return Address(local, domain)
    if local.count("*") > 2:
        raise PatternError('more than two "*"', "the local part may contain one or two")
    spelling = local.replace("**", "*")
    return Domain(domain, exact=True) if spelling == "*" else Glob(spelling, domain)


def _local(text: str, entry: str) -> str:
    """Return the local part `text` of `entry`, unquoted and folded.  Raises PatternError."""
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1]).lower()
    if text in ("", "=", '""'):
        raise PatternError("the local part is empty", "<> is the empty sender")
    if text[0] in "=!":
        raise PatternError(f'"{text[0]}" before a local part', f"probably meant {entry[1:]}")
    if "*" in text and entry.endswith("@"):
        raise PatternError('a "*" without a domain', f"a domain must follow, as in {entry}isp.example")
    special = _SPECIAL.search(text)
    if special:
        raise PatternError(f"an unquoted {special[0]!a} in the local part", 'it is quoted as in "a b"@isp.example')
    return text.lower()


def _domain(text: str, before: str) -> str:
    """Return what follows the "@", folded: a name or an address literal.  Raises PatternError."""
    if text.startswith("["):
        if literal_address(text) is None:
            raise PatternError(f"{text} is not an address literal", "such as [192.0.2.1] or [IPv6:2001:db8::1]")
        return fold_domain(text)
    if looks_numeric(text) and parse_address(text):
        raise PatternError("an address without its brackets", f"probably meant {before}[{text}]")
    return parse_name(text, before)


def _meant_by_comment(text: str) -> str:
    """Return the suggestion for a "#": Exchange wrote an exact domain as #@isp.example or #isp.example."""
    local, at, domain = text[1:].rpartition("@")
    return f'probably meant "#{local}"{at}{domain}' if local else f"Exchange's exact domain is =@{domain}"


def _meant_without_at(text: str) -> str:
    name = text.lstrip("=*.")
    if parse_address(name):
        return f"@[{name}] matches an address literal"
    try:
        parse_name(name)
    except PatternError:
        return ""
    if "." in name:
        return f"@{name} (and every subdomain) or =@{name}"
    if text.startswith((".", "*.")):
        return f"probably meant @{name}, which matches every domain below it"
    return f"{name}@ matches it at every domain"
