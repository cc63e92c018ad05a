"""The header as the MTA showed it, every byte, with lines ended by CRLF throughout."""

from __future__ import annotations

from collections.abc import Iterable


def transcript(fields: Iterable[tuple[str, bytes]], *, leading_space: bool) -> bytes:
    """The fields in their order, without the empty line that ends the header.

    Without `leading_space` (SMFIP_HDR_LEADSPC) the MTA has dropped the blanks behind the colon; one is the usual
    spelling.
    """
    colon = b":" if leading_space else b": "
    return b"".join([_line(name, colon, value) for name, value in fields])


def _line(name: str, colon: bytes, value: bytes) -> bytes:
    folded = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # both MTAs show a fold as a bare LF
    return name.encode("utf-8", "surrogateescape") + colon + folded + b"\r\n"
