"""Addresses in text that is not plainly an address: everything that some program may take for one."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from turfmilter.core.address.spelling import spell_open

# Characters that Unicode treats as variants of those that separate the parts of an address.  The wide "@" occurs
# in many names of people (name, sign, company), so it needs a dot in what follows, as "%" does.
_LOOKALIKES = str.maketrans(
    "\uff20\ufe6b\uff05\ufe6a\uff01\ufe57\uff0e\u3002\uff61\uff1c\ufe64\uff1e\ufe65", "%%%%!!...<<>>"
)
DECORATION = string.punctuation  # characters that people and programs put around an address
_SIGN = re.compile("[@%!]")
_PUNCTUATION = str.maketrans('()"\\[]', " " * 6)  # brackets, because to Sendmail [dom] is the host dom
_WIDEST = 256  # characters of a local part or literal that are read: far more than RFC 5321 §4.5.3.1 allows
_WORD = re.compile(r'[^\s<>(),;:"\\\[\]@%!]*')
_CHAIN = re.compile(r'[^\s<>(),;:"\\\[\]]*')  # with further signs in it: Postfix rewrites x%%dom to x%@dom
# The end of a literal must be within _WIDEST: otherwise each of many signs would search the rest of the text.
_DOMAIN = re.compile(rf" ?(\[[^\]\s]{{0,{_WIDEST}}}\]|[\w-]+(?:\.[\w-]+)*)")
_SPREAD_DOMAIN = re.compile(r" ?([\w-]+(?: ?\.+ ?[\w-]+)*)")  # blanks around its dots (RFC 5322 §4.4)
_ODD_DOMAIN = re.compile(r' ?([^\s<>(),;:"\\\[\]@%!]+)')  # not a host name, but MTAs use its last labels
_DOMAINS = (_DOMAIN, _SPREAD_DOMAIN, _ODD_DOMAIN)
_AROUND_DOMAINS = "".join(sorted({*DECORATION} - {*"[]_-"}))
_HOST = re.compile(r"[\w.-]*")


def signs(text: str) -> int:
    """Return how many places of `text` could be the middle of an address: each of them costs time."""
    return len(_SIGN.findall(text.translate(_LOOKALIKES)))


def sightings(text: str) -> Iterator[tuple[str, str]]:
    """Yield local part and domain of everything in `text` that can be read as an address, possibly more than once.

    user@dom counts; user%dom and dom!user count if a dot shows that dom is a domain.  Quotes and comments
    do not hide an address.
    """
    text = text.translate(_LOOKALIKES)
    # Postfix resolves escapes in a domain more than once.
    views = (spell_open(text).text, spell_open(text.replace("\\", "")).text, text.translate(_PUNCTUATION))
    for view in dict.fromkeys(" ".join(view.split()) for view in views):
        yield from _beside_signs(view)


def _beside_signs(text: str) -> Iterator[tuple[str, str]]:
    for sign in _SIGN.finditer(text):
        place = sign.start()
        backwards = text[max(0, place - _WIDEST) : place].rstrip(" ")[::-1]
        if sign[0] == "!":
            yield from _banged(backwards, text[place + 1 : place + 1 + _WIDEST].lstrip(" "))
        else:
            found = [match[1] for match in (pattern.match(text, place + 1) for pattern in _DOMAINS) if match]
            yield from _joined(backwards, found, dotted=sign[0] == "%")


def _joined(backwards: str, found: list[str], *, dotted: bool) -> Iterator[tuple[str, str]]:
    """Yield user@dom and user%dom for each domain that may be meant."""
    for domain in dict.fromkeys(domain.replace(" ", "").strip(_AROUND_DOMAINS) for domain in found):
        if not domain or (dotted and "." not in domain):
            continue
        for run in (_WORD, _CHAIN):
            yield from ((local, domain) for local in _bare(_run(run, backwards)[::-1]))


def _banged(backwards: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield dom!user."""
    domain = _run(_HOST, backwards)[::-1]
    if "." in domain.strip("."):
        for run in (_WORD, _CHAIN):
            yield from ((local, domain) for local in _bare(_run(run, after)))


def _run(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.match(text)
    return match[0] if match else ""


def _bare(local: str) -> dict[str, None]:
    """Return the local part without the characters that may only surround it, and as it is."""
    return dict.fromkeys((local.strip(DECORATION), local))
