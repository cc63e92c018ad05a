"""Undoing the transfer encoding of a part (RFC 2045 §6), as far as that is possible."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator


def decoded(raw: bytes, encoding: str) -> bytes:
    """Return `raw` without the transfer encoding `encoding`; unchanged if that cannot be undone."""
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    if encoding == "base64":
        digits = b"".join(raw.split())
        try:
            return binascii.a2b_base64(digits[: len(digits) // 4 * 4])  # what was cut off may have cut the last one
        except binascii.Error:
            return raw
    return raw


def decoded_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield `pieces`, each a line or 64 KiB of a longer one, without the transfer encoding; the last piece is a rest.

    Digits of base64 are kept until there are four: a line may end anywhere.
    """
    rest = b""
    for piece in pieces:
        if encoding == "base64":
            digits = rest + b"".join(piece.split())
            whole = len(digits) // 4 * 4
            piece, rest = digits[:whole], digits[whole:]
        yield decoded(piece, encoding)
    yield rest
