"""Addresses sighted in text that is not plainly an address: whatever some reader may take for one."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from turfmilter.core.address.spelling import spell_open

# Characters that Unicode counts as other spellings of those that take an address apart.  The wide "@" stands
# in many names of people (a name, the sign, a company): it needs a dot in what follows, as "%" does.
_LOOKALIKES = str.maketrans(
    "\uff20\ufe6b\uff05\ufe6a\uff01\ufe57\uff0e\u3002\uff61\uff1c\ufe64\uff1e\ufe65", "%%%%!!...<<>>"
)
DECORATION = string.punctuation  # what people and programs put around an address that they quote
_SIGN = re.compile("[@%!]")
_PUNCTUATION = str.maketrans('()"\\', "    ")
_WIDEST = 256  # characters of a local part or literal that are looked at: far more than RFC 5321 §4.5.3.1 allows
_WORD = re.compile(r'[^\s<>(),;:"\\\[\]@%!]*')
_CHAIN = re.compile(r'[^\s<>(),;:"\\\[\]]*')  # with further signs in it: Postfix makes x%@dom of x%%dom
# The end of a literal is looked for within _WIDEST: each of many signs would read the rest of the text for it.
_DOMAIN = re.compile(rf" ?(\[[^\]\s]{{0,{_WIDEST}}}\]|[\w-]+(?:\.[\w-]+)*)")
_SPREAD_DOMAIN = re.compile(r" ?([\w-]+(?: ?\.+ ?[\w-]+)*)")  # blanks around its dots (RFC 5322 §4.4)
_ODD_DOMAIN = re.compile(r' ?([^\s<>(),;:"\\\[\]@%!]+)')  # no host is called so, but MTAs see its last labels
_DOMAINS = (_DOMAIN, _SPREAD_DOMAIN, _ODD_DOMAIN)
_AROUND_DOMAINS = "".join(sorted({*DECORATION} - {*"[]_-"}))
_HOST = re.compile(r"[\w.-]*")


def signs(text: str) -> int:
    """How many places of `text` could be the middle of an address: reading costs time for each of them."""
    return len(_SIGN.findall(text.translate(_LOOKALIKES)))


def sightings(text: str) -> Iterator[tuple[str, str]]:
    """Local part and domain of everything in `text` that can be read as an address, some of them more than once.

    user@dom counts, user%dom and dom!user where a dot shows that dom is meant as a domain.  Quotes and comments
    hide nothing.
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
    """user@dom and user%dom: the domains that may have been meant, and what is in front of them."""
    for domain in dict.fromkeys(domain.replace(" ", "").strip(_AROUND_DOMAINS) for domain in found):
        if not domain or (dotted and "." not in domain):
            continue
        for run in (_WORD, _CHAIN):
            yield from ((local, domain) for local in _bare(_run(run, backwards)[::-1]))


def _banged(backwards: str, after: str) -> Iterator[tuple[str, str]]:
    """dom!user."""
    domain = _run(_HOST, backwards)[::-1]
    if "." in domain.strip("."):
        for run in (_WORD, _CHAIN):
            yield from ((local, domain) for local in _bare(_run(run, after)))


def _run(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.match(text)
    return match[0] if match else ""


def _bare(local: str) -> dict[str, None]:
    """The local part without what may only decorate it, and as it is."""
    return dict.fromkeys((local.strip(DECORATION), local))
