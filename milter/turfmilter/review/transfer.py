"""Undoing the transfer encoding of a part (RFC 2045 §6), as far as that is possible."""

from __future__ import annotations

import binascii
import re
import string
from collections.abc import Iterable, Iterator

_NO_DIGITS = bytes(set(range(256)) - {*f"{string.ascii_letters}{string.digits}+/=".encode()})
# What may be the beginning of an escape or of a soft line break: "=", "=4", "=\r".
_BEGUN = re.compile(rb"=[0-9A-Fa-f\r]?\Z")


def decoded(raw: bytes, encoding: str) -> bytes:
    """Return `raw` without the transfer encoding `encoding`; what is cut off or invalid at its end is left out."""
    return b"".join(decoded_pieces([raw], encoding))


def decoded_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield `pieces`, which may be cut anywhere, without the transfer encoding; unchanged if it is not a known one."""
    if encoding == "quoted-printable":
        return _from_quoted(pieces)
    return _from_base64(pieces) if encoding == "base64" else iter(pieces)


def _from_quoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        raw = rest + piece
        begun = _BEGUN.search(raw)
        rest = begun[0] if begun else b""
        yield binascii.a2b_qp(raw.removesuffix(rest))
    yield binascii.a2b_qp(rest)


def _from_base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Characters other than digits are ignored (RFC 2045 §6.8); padding may be missing, and more may follow it."""
    rest = b""
    for piece in pieces:
        *padded, digits = (rest + piece.translate(None, _NO_DIGITS)).split(b"=")
        whole = len(digits) // 4 * 4
        rest = digits[whole:]
        yield b"".join(map(_bytes, (*padded, digits[:whole])))
    yield _bytes(rest)


def _bytes(digits: bytes) -> bytes:
    """Return the bytes that a run of digits means; a single digit at its end means none."""
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
