"""A domain or host name in an entry of a table, folded."""

from __future__ import annotations

import re

from turfmilter.core.address.mailbox import fold_domain

_MAX_NAME_CHARACTERS = 253  # characters; RFC 1035 §2.3.4: 255 octets on the wire
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*(?!\d+\Z){_LABEL}")


class PatternError(ValueError):
    """An invalid entry: what is wrong with it, and what was probably meant ("" if that is unknown)."""

    def __init__(self, wrong: str, meant: str = "") -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.meant = meant


def parse_name(text: str, before: str = "") -> str:
    """Return `text` folded; `before` is what precedes it in the entry.  Raises PatternError if it is not a name."""
    name = fold_domain(text)
    if is_name(name):
        return name
    raise PatternError(*_trouble(text, name, before))


def is_name(folded: str) -> bool:
    """Return True if a host can have this folded name."""
    return len(folded) <= _MAX_NAME_CHARACTERS and bool(_NAME.fullmatch(folded))


def looks_numeric(text: str) -> bool:
    """Return True if `text` can only be an IP address: no host name ends in a label of digits (RFC 3696 §2)."""
    return ":" in text or text.rstrip(".").rpartition(".")[2].isdigit()


def _trouble(text: str, name: str, before: str) -> tuple[str, str]:
    """Return what is wrong with the folded `name`, and what was probably meant."""
    tidy = re.sub(r"\.{2,}", ".", name.lstrip("*.")).removesuffix(".")
    meant = f"probably meant {before}{tidy}" if _NAME.fullmatch(tidy) else ""
    if not name:
        return "the name is missing", ""
    if "*" in name:
        at = "@" if "@" in before else ""
        return 'a "*" in a domain', meant and f"probably meant {at}{tidy}, which matches every subdomain"
    if name.startswith("."):
        return "a dot before the name", meant
    if ".." in f"{name}.":
        return "two dots in a row", meant
    if re.search(r"[\s,;]", name):
        return "a blank or a comma in the entry", "each entry is written separately"
    if not name.isascii():
        return f'"{text}" is not an international domain name (RFC 5891)', ""
    if len(name) > _MAX_NAME_CHARACTERS or max(map(len, name.split("."))) > 63:
        return "the name is too long", "a name has at most 253 characters, each label 63 (RFC 1035)"
    return f'"{text}" is not a name', ""
