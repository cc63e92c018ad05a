"""The spelling of an address (RFC 5321 §4.1.2, RFC 5322 §3.2): quotes, escapes and comments resolved."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.core.address.mailbox import Mailbox, fold_domain

_MAX_ADDRESS_CHARACTERS = 512  # characters; RFC 5321 §4.5.3.1.4: a whole command line
_BLANKS = " \t\r\n"  # no others: to MTAs, other blanks are part of a name


class Unreadable(ValueError):
    """The text is not one address: something is not closed, or there are several."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """Text without comments; `bare[i]` is False if character i was quoted, escaped or in a domain literal.

    Only bare characters can be separators: the "@" in "user@dom"@ours is part of a name.
    """

    text: str
    bare: tuple[bool, ...]

    def find(self, separators: str, start: int = 0) -> int:
        """Return the place of the first bare character of `separators` from `start` on, or -1."""
        places = range(start, len(self.text))
        return next((i for i in places if self.bare[i] and self.text[i] in separators), -1)

    def rfind(self, separators: str) -> int:
        """Return the place of the last bare character of `separators`, or -1."""
        places = range(len(self.text) - 1, -1, -1)
        return next((i for i in places if self.bare[i] and self.text[i] in separators), -1)

    def part(self, start: int, end: int | None = None) -> Spelling:
        """Return the characters from `start` up to `end`, without bare blanks around them."""
        end = len(self.text) if end is None else end
        while start < end and self.bare[start] and self.text[start] in _BLANKS:
            start += 1
        while start < end and self.bare[end - 1] and self.text[end - 1] in _BLANKS:
            end -= 1
        return Spelling(self.text[start:end], self.bare[start:end])

    def split(self, separators: str) -> list[Spelling]:
        """Split at bare `separators`, except inside <> (source routes of RFC 5321 contain commas)."""
        parts, start, depth = [], 0, 0
        for i, char in enumerate(self.text):
            if not self.bare[i]:
                continue
            depth += (char == "<") - (char == ">")
            if depth <= 0 and char in separators:
                parts.append(self.part(start, i))
                start = i + 1
        return [*parts, self.part(start)]


def spell(text: str) -> Spelling:
    """Resolve quotes, escapes and comments.  Raises Unreadable if one of them is not closed."""
    spelling, closed = _resolve(text)
    if not closed:
        raise Unreadable("a quote, a literal, a comment or an escape is not closed")
    return spelling


def spell_open(text: str) -> Spelling:
    """Do the same, but let anything that is not closed extend to the end."""
    return _resolve(text)[0]


def address_of(spelling: Spelling) -> tuple[str, str]:
    """Return local part and domain of an address without <>; the domain is "" if it has none.

    A source route is dropped (RFC 5321 §4.1.2, appendix C).  Raises Unreadable.
    """
    if len(spelling.text) > _MAX_ADDRESS_CHARACTERS:
        raise Unreadable("longer than any address")
    while spelling.text.startswith("@") and spelling.bare[0]:
        colon = spelling.find(":")
        if colon < 0:
            break
        spelling = spelling.part(colon + 1)
        if not spelling.text:
            raise Unreadable("nothing after the source route")
    if spelling.find(",:;<>") >= 0:
        raise Unreadable("not one address")
    at = spelling.rfind("@")
    if at < 0:
        return _text(spelling), ""
    domain = spelling.part(at + 1)
    text = _text(domain)
    if not text or not (all(domain.bare) or (text.startswith("[") and domain.bare[0])):
        raise Unreadable("no domain after the @")
    return _text(spelling.part(0, at)), text


def mailbox_of(local: str, domain: str) -> Mailbox:
    """Return the folded address; the local part is only lower-cased (RFC 8265 §3.3: straße is not strasse)."""
    return Mailbox(local.lower(), fold_domain(domain))


def _resolve(text: str) -> tuple[Spelling, bool]:
    """Resolve quotes, escapes and comments; also return whether all of them are closed."""
    chars: list[str] = []
    bare: list[bool] = []
    places = iter(text)
    inside = ""  # the character that closes the current quoted string or literal
    depth = 0  # of comments
    for char in places:
        escaped = char == "\\"
        if escaped:
            char = next(places, "")
            if not char:
                return Spelling("".join(chars), tuple(bare)), False
        if depth:
            depth += 0 if escaped else (char == "(") - (char == ")")
        elif escaped:
            chars.append(char)
            bare.append(False)
        elif inside:
            if char != inside or char == "]":
                chars.append(char)
                bare.append(False)
            inside = "" if char == inside else inside
        elif char == "(":
            depth = 1
        elif char == '"':
            inside = char
        else:
            # RFC 5321 §4.1.3.  Elsewhere "[" hides nothing: both MTAs send [x@[192.0.2.1] to 192.0.2.1.
            inside = "]" if char == "[" and chars[-1:] == ["@"] and bare[-1] else ""
            chars.append(char)
            bare.append(True)
    return Spelling("".join(chars), tuple(bare)), not inside and not depth


def _text(spelling: Spelling) -> str:
    """Return the text without bare blanks, which mean nothing between the words of an address (RFC 5322 §4.4)."""
    return "".join(c for c, bare in zip(spelling.text, spelling.bare, strict=True) if not (bare and c in _BLANKS))
