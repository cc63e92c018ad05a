"""What a message contains, read in one pass and within bounds: its header, its text and a list of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from itertools import chain, takewhile
from typing import BinaryIO, NamedTuple

from turfmilter.core.address.header import Header, decode, decode_words, read_header
from turfmilter.core.held.summary import HEADER_MOST
from turfmilter.review.markup import text_of
from turfmilter.review.transfer import decoded, decoded_pieces

_MAX_LINE_BYTES = 65_536  # bytes read at once: what calls itself a line may be the whole message
_MAX_TEXT_BYTES = 65_536  # bytes of text that are shown, before they are decoded
_MAX_LISTED_PARTS = 200  # parts that are listed; the others are counted
_DEEPEST = 20  # multiparts in multiparts; what lies deeper counts as one part
_MAX_FIELD_BYTES = 4096  # bytes of a Content-Type or Content-Disposition: Python reads them in quadratic time
# Bytes of such values in all parts together; each counts as so many at least.  Parts that come after are counted alone.
_MAX_ALL_FIELDS_BYTES, _MIN_FIELD_BYTES = 32_768, 64
_MAX_NAME_CHARACTERS = 255  # characters


@dataclass(frozen=True, slots=True)
class Part:
    """One part that holds no others; `size` is that of its encoded bytes, `name` "" where it has none."""

    type: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a message contains.  `text` is that of the first part that is plain text and not blank; without one, it is
    made from the first part that is HTML (`from_html`), and None if there is none either.

    `text_complete` and the header's `complete` are False if something was left out;
    `count` is the number of all parts, of which the first ones are listed.  `understood` is False if the headers of
    the parts exceed a limit, so that not all of them were read: the parts after these may have any type.
    """

    header: Header
    text: str | None
    text_complete: bool
    parts: tuple[Part, ...]
    count: int
    understood: bool = True
    from_html: bool = False


class NoSuchPart(Exception):
    """The message has no part with this number, or so many that it was not listed."""


class OpenPart(NamedTuple):
    """One part: its type, the character set of its text, and its content in pieces, without transfer encoding."""

    type: str
    charset: str
    pieces: Iterator[bytes]


def read_contents(file: BinaryIO) -> Contents:
    """Return the contents of the message that begins at the position of `file`."""
    parts = _Parts()
    for part, line in _pieces(file, parts):
        part.take(line)
    listed = tuple(Part(part.type, part.name, part.size) for part in parts.listed)
    text, complete, from_html = None, True, False
    if parts.text is not None:
        text, complete = parts.text.text(), parts.text.complete
    if parts.html is not None and not (text or "").strip():
        text, complete, from_html = text_of(parts.html.text()), parts.html.complete, True
    return Contents(parts.header, text, complete, listed, parts.count, parts.understood, from_html)


def read_part(file: BinaryIO, number: int) -> OpenPart:
    """Return the part `number`, 1 being the first, of the message that begins at the position of `file`.

    Parts have the numbers of Contents.parts.  Raises NoSuchPart.
    """
    parts = _Parts()
    pieces = _pieces(file, parts)
    # A part is listed before its first line is read; an empty one has none.
    first = next((piece for piece in pieces if len(parts.listed) >= number), None)
    if not 0 < number <= len(parts.listed):
        raise NoSuchPart(f"there is no part {number}: the message has {len(parts.listed)} parts")
    wanted = parts.listed[number - 1]
    own = takewhile(lambda piece: piece[0] is wanted, chain(filter(None, [first]), pieces))
    return OpenPart(wanted.type, wanted.charset, decoded_pieces((line for _, line in own), wanted.encoding))


def _pieces(file: BinaryIO, parts: _Parts) -> Iterator[tuple[_Part, bytes]]:
    """Yield each line, at most 64 KiB of it at once, with its part, and collect the header and all parts in `parts`."""
    lines = _Lines(file)
    parts.header = read_header(lines.readline, HEADER_MOST)
    part = parts.begin(parts.header, lines)
    while True:
        while line := lines.readline(_MAX_LINE_BYTES):
            yield part, line
        if lines.delimiter is None:
            break
        inner, closing = lines.delimiter
        lines.go_on(inner if closing else inner + 1)
        part = _Part() if closing else parts.next(lines)


class _Lines:
    """The lines up to the next delimiter of a multipart that is open (RFC 2046 §5.1.1)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begins = True
        self.boundaries: list[bytes] = []
        self.delimiter: tuple[int, bool] | None = None  # of which boundary, and whether it is the last

    def readline(self, most: int) -> bytes:
        """The next line, at most so many bytes of it; b"" at a delimiter and at the end."""
        if self.delimiter:
            return b""
        line = self._file.readline(min(most, _MAX_LINE_BYTES))
        if self._begins and line.startswith(b"--"):
            self.delimiter = self._read(line[2:].rstrip(b" \t\r\n"))
        self._begins = line.endswith(b"\n")
        return b"" if self.delimiter else line

    def go_on(self, depth: int) -> None:
        """Pass the delimiter; so many multiparts are open from here on."""
        del self.boundaries[depth:]
        self.delimiter = None

    def _read(self, text: bytes) -> tuple[int, bool] | None:
        for depth in reversed(range(len(self.boundaries))):
            if text == self.boundaries[depth]:
                return depth, False
            if text == self.boundaries[depth] + b"--":
                return depth, True
        return None


@dataclass
class _Part:
    """One part while it is read; by default the text between parts, which belongs to none."""

    type: str = ""
    name: str = ""
    charset: str = "ascii"
    encoding: str = ""
    size: int = 0
    is_text: bool = False
    kept: bytearray = field(default_factory=bytearray)

    def take(self, line: bytes) -> None:
        """The next bytes."""
        self.size += len(line)
        if self.is_text and len(self.kept) < _MAX_TEXT_BYTES:
            self.kept += line[: _MAX_TEXT_BYTES - len(self.kept)]

    @property
    def complete(self) -> bool:
        """True if all of it was kept."""
        return len(self.kept) == self.size

    def text(self) -> str:
        """What was kept, decoded as far as that can be done."""
        return decode(decoded(bytes(self.kept), self.encoding), self.charset)


class _Parts:
    """The header, the parts found so far, and the first of them that are plain text and HTML."""

    def __init__(self) -> None:
        self.header = Header((), True)
        self.html: _Part | None = None
        self.listed: list[_Part] = []
        self.count = 0
        self.text: _Part | None = None
        self._room = _MAX_ALL_FIELDS_BYTES

    @property
    def understood(self) -> bool:
        """False when the values of the parts were too much to be read."""
        return self._room > 0

    def next(self, lines: _Lines) -> _Part:
        """The part that begins behind a delimiter."""
        if not self.understood:
            self.count += 1
            return _Part()
        return self.begin(read_header(lines.readline, HEADER_MOST), lines)

    def begin(self, header: Header, lines: _Lines) -> _Part:
        """The part that begins after `header`; the text of a multipart itself belongs to no part."""
        type = self._parameters(header, "content-type")
        boundary = type.boundary()
        if type.value().startswith("multipart/") and boundary and len(lines.boundaries) < _DEEPEST:
            lines.boundaries.append(boundary)
            return _Part()
        disposition = self._parameters(header, "content-disposition")
        part = _Part(
            type=type.value(),
            name=disposition.parameter("filename") or type.parameter("name"),
            charset=type.parameter("charset") or "utf-8",  # most 8-bit mail names none, and UTF-8 fits most of it
            encoding=header.first("content-transfer-encoding").decode("ascii", "replace").strip().lower(),
        )
        attached = disposition.is_attachment()
        if self.text is None and part.type == "text/plain" and not attached:
            part.is_text, self.text = True, part
        if self.html is None and part.type == "text/html" and not attached:
            part.is_text, self.html = True, part
        self.count += 1
        if len(self.listed) < _MAX_LISTED_PARTS:
            self.listed.append(part)
        return part

    def _parameters(self, header: Header, field: str) -> _Parameters:
        value = header.first(field)[:_MAX_FIELD_BYTES]
        self._room -= max(len(value), _MIN_FIELD_BYTES)
        return _Parameters(value, field)


class _Parameters:
    """The value of a field with parameters (RFC 2045 §5.1, RFC 2231), however broken."""

    def __init__(self, value: bytes, field: str) -> None:
        self._message = Message()
        self._message[field] = value.decode("utf-8", "replace")
        self._parameters: dict[str, str | tuple[str | None, str | None, str]] = {}
        # Python's reader falls over some that are broken.  All at once: it reads the whole value for each.
        with suppress(TypeError, ValueError, LookupError):
            for name, parameter in self._message.get_params([], field):
                self._parameters.setdefault(name.lower(), parameter)

    def value(self) -> str:
        """The type; text/plain when there is none or none that can be read (RFC 2045 §5.2)."""
        return self._message.get_content_type()

    def is_attachment(self) -> bool:
        """True when it is to be saved, not shown."""
        return self._message.get_content_disposition() == "attachment"

    def boundary(self) -> bytes:
        """The text that follows "--" in the delimiters (RFC 2046 §5.1.1)."""
        return self.parameter("boundary").rstrip().encode("utf-8", "replace")

    def parameter(self, name: str) -> str:
        """One of the parameters, "" when it is not there or cannot be read."""
        try:
            found = self._parameters.get(name, "")
            text = found if isinstance(found, str) else decode(found[2].encode("latin-1"), found[0] or "ascii")
            return decode_words(text.encode("utf-8", "surrogateescape"))[:_MAX_NAME_CHARACTERS]
        except (TypeError, ValueError, LookupError):
            return ""
