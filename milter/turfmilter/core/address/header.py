"""The header of a message as it came: its fields, however broken, and the readable text of their values."""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)  # RFC 5322 §2.2, and a blank before the colon (§4.5)
_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")  # RFC 2047 §2, RFC 2231 §5
_LONGEST = 16_384  # bytes of one value that are read: more than any program writes
# Python has codecs that are no charsets: some take quadratic time, some obey escapes in the text.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
_BYTE_FOR_BYTE = frozenset({"ascii", "utf-8"})


class Field(NamedTuple):
    """One field of the header; `value` is unfolded, its bytes as they came."""

    name: str
    value: bytes

    @property
    def text(self) -> str:
        """The value as it is meant to be read."""
        return decode_words(self.value)


@dataclass(frozen=True, slots=True)
class Header:
    """The fields in their order; `complete` is False when there was more than `read_header` was to read."""

    fields: tuple[Field, ...]
    complete: bool

    def values(self, name: str) -> Iterator[bytes]:
        """The values of all fields called `name`, which is in lower case."""
        return (field.value for field in self.fields if field.name.lower() == name)

    def first(self, name: str) -> bytes:
        """The value of the first of them, b"" when there is none."""
        return next(self.values(name), b"")


def read_header(readline: Callable[[int], bytes], most: int) -> Header:
    """The header that begins at the next line, at most so many bytes of it; then the body is next.

    A line that belongs to no field is passed over: other programs do so too, and what follows it counts for them.
    """
    fields: list[tuple[str, list[bytes]]] = []
    while most > 0:
        line = readline(most)
        most -= len(line)
        text = line.rstrip(b"\r\n")
        if not text:
            return _header(fields, complete=True)
        if text[0] in b" \t" and fields:
            fields[-1][1].append(text)
        elif found := _FIELD.match(text):
            fields.append((found[1].decode("ascii"), [found[2]]))
    return _header(fields, complete=False)


def decode_words(value: bytes) -> str:
    """The text of a value with its encoded words decoded (RFC 2047); one that cannot be stays as it is."""
    return decode_text(value[:_LONGEST].decode("utf-8", "surrogateescape"))


def decode_text(raw: str) -> str:
    """The same of a value that is text already, however long it is."""
    if "=?" not in raw:
        return raw
    pieces: list[tuple[str, bytes] | str] = []
    end = 0
    for word in _WORD.finditer(raw):
        between, end = raw[end : word.start()], word.end()
        before = pieces[-1] if pieces else None
        if between and not (isinstance(before, tuple) and between.isspace()):  # RFC 2047 §6.2
            pieces.append(between)
        content = _content(word)
        last = pieces[-1] if pieces else None
        if content is None:
            pieces.append(word[0])
        elif isinstance(last, tuple) and last[0] == word[1].lower():
            # Many programs cut a character of several bytes in two.
            pieces[-1] = (last[0], last[1] + content)
        else:
            pieces.append((word[1].lower(), content))
    pieces.append(raw[end:])
    return "".join(piece if isinstance(piece, str) else decode(piece[1], piece[0]) for piece in pieces)


def decode(raw: bytes, charset: str) -> str:
    """`raw` as text of that charset; where there is no such, ASCII.  Never raises.

    Bytes that are not UTF-8 or ASCII come by surrogateescape, those of other charsets become U+FFFD.
    """
    try:
        name = codecs.lookup(charset).name
        if name in _NO_CHARSETS:
            name = "ascii"
        return raw.decode(name, "surrogateescape" if name in _BYTE_FOR_BYTE else "replace")
    except (LookupError, ValueError):  # no charset, or a codec that cannot make the best of it
        return raw.decode("ascii", "surrogateescape")


def _header(fields: Iterable[tuple[str, list[bytes]]], *, complete: bool) -> Header:
    return Header(tuple(Field(name, b"".join(parts).strip()) for name, parts in fields), complete)


def _content(word: re.Match[str]) -> bytes | None:
    """The bytes of an encoded word, None when it is none."""
    try:
        text = word[3].encode("ascii")
        if word[2] in "qQ":
            return binascii.a2b_qp(text, header=True)
        return binascii.a2b_base64(text + b"===")  # too much padding does no harm, too little would
    except ValueError:  # binascii.Error is one
        return None
