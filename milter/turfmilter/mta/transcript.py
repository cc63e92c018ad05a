"""The message as the MTA showed it, every byte, with lines ended by CRLF throughout."""

from __future__ import annotations


class Transcript:
    """Collects the header until it is known whether the message is held."""

    def __init__(self, leading_space: bool) -> None:
        # Without SMFIP_HDR_LEADSPC the MTA has dropped the blanks behind the colon; one is the usual spelling.
        self._colon = b":" if leading_space else b": "
        self._fields: list[tuple[str, bytes]] = []

    def header(self, name: str, value: bytes) -> None:
        """One header field.  Only kept here: few messages are held, and all have many fields."""
        self._fields.append((name, value))

    def head(self) -> bytes:
        """The whole header with the empty line that ends it."""
        return b"".join([*(self._line(name, value) for name, value in self._fields), b"\r\n"])

    def _line(self, name: str, value: bytes) -> bytes:
        folded = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # both MTAs show a fold as a bare LF
        return name.encode("utf-8", "surrogateescape") + self._colon + folded + b"\r\n"
