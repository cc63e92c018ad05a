"""Undoing the transfer encoding of a part (RFC 2045 §6), as far as that is possible."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator

_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=]+")  # to be ignored in base64 (RFC 2045 §6.8)


def decoded(raw: bytes, encoding: str) -> bytes:
    """Return `raw` without the transfer encoding `encoding`; unchanged if that is another one."""
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    if encoding == "base64":
        digits = _up_to_padding(_FOREIGN.sub(b"", raw))
        return binascii.a2b_base64(digits[: len(digits) // 4 * 4])  # what was cut off may have cut the last one
    return raw


def decoded_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield `pieces`, each a line or 64 KiB of a longer one, without the transfer encoding; the last piece is a rest.

    Digits of base64 are kept until there are four: a line may end anywhere.
    """
    rest = b""
    for piece in pieces:
        if encoding == "base64":
            digits = rest + _FOREIGN.sub(b"", piece)
            whole = len(digits) // 4 * 4
            piece, rest = digits[:whole], digits[whole:]
        yield decoded(piece, encoding)
    yield rest


def _up_to_padding(digits: bytes) -> bytes:
    """Return what ends with the first padding that completes four digits: it is the end of the data (RFC 2045 §6.8).

    Python ignores what follows it in version 3.11, and not in 3.13.
    """
    kept = bytearray()
    *padded, last = digits.split(b"=")
    for some in padded:
        kept += some
        if len(kept) % 4 >= 2:
            return bytes(kept) + b"=" * (-len(kept) % 4)
    return bytes(kept + last)
