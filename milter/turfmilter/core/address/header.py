"""The header of a message as received: its fields, even malformed ones, and the decoded text of their values."""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)  # RFC 5322 §2.2; §4.5 allows blanks in front of the colon
_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")  # RFC 2047 §2, RFC 2231 §5
_MAX_VALUE_BYTES = 16_384  # bytes of one value that are decoded: more than any program writes
# Some codecs of Python are not charsets: they take quadratic time, or interpret escapes in the text.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
_BYTE_FOR_BYTE = frozenset({"ascii", "utf-8"})


class Field(NamedTuple):
    """One field of the header; `value` is unfolded, its bytes as received."""

    name: str
    value: bytes

    @property
    def text(self) -> str:
        """The decoded value."""
        return decode_words(self.value)


@dataclass(frozen=True, slots=True)
class Header:
    """The fields in their order; `complete` is False if the header exceeded the limit of `read_header`."""

    fields: tuple[Field, ...]
    complete: bool

    def values(self, name: str) -> Iterator[bytes]:
        """Return the values of all fields called `name`, which must be in lower case."""
        return (field.value for field in self.fields if field.name.lower() == name)

    def first(self, name: str) -> bytes:
        """Return the value of the first field called `name`, b"" if there is none."""
        return next(self.values(name), b"")


def read_header(readline: Callable[[int], bytes], most: int) -> Header:
    """Read the header that begins at the next line, at most `most` bytes; the next line is then the first of the body.

    A line that belongs to no field is skipped: other programs do so too, and read the fields that follow it.
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
    """Return a value as text with its encoded words decoded (RFC 2047); invalid ones are left as they are."""
    return decode_text(value[:_MAX_VALUE_BYTES].decode("utf-8", "surrogateescape"))


def decode_text(raw: str) -> str:
    """Do the same for a value that is already text, whatever its length."""
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
            # Many programs split a multibyte character between two encoded words.
            pieces[-1] = (last[0], last[1] + content)
        else:
            pieces.append((word[1].lower(), content))
    pieces.append(raw[end:])
    return "".join(piece if isinstance(piece, str) else decode(piece[1], piece[0]) for piece in pieces)


def decode(raw: bytes, charset: str) -> str:
    """Decode `raw` from `charset`, or from ASCII if there is no such charset.  Never raises.

    Bytes that are not valid UTF-8 or ASCII become surrogate escapes; those invalid in other charsets become U+FFFD.
    """
    try:
        name = codecs.lookup(charset).name
        if name in _NO_CHARSETS:
            name = "ascii"
        return raw.decode(name, "surrogateescape" if name in _BYTE_FOR_BYTE else "replace")
    except (LookupError, ValueError):  # not a charset, or a codec that fails despite the error handler
        return raw.decode("ascii", "surrogateescape")


def _header(fields: Iterable[tuple[str, list[bytes]]], *, complete: bool) -> Header:
    return Header(tuple(Field(name, b"".join(parts).strip()) for name, parts in fields), complete)


def _content(word: re.Match[str]) -> bytes | None:
    """Return the bytes of an encoded word, None if it is invalid."""
    try:
        text = word[3].encode("ascii")
        if word[2] in "qQ":
            return binascii.a2b_qp(text, header=True)
        return binascii.a2b_base64(text + b"===")  # excess padding is ignored, missing padding is an error
    except ValueError:  # binascii.Error is one
        return None
