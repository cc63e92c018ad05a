"""The milter protocol as bytes: frames in both directions, and the arguments of the MTA's commands.  Uses no socket.

A frame is a length of 4 bytes (big endian, which counts the command), a command of 1 byte, and a payload: arguments
that end with NUL, in most cases.  The protocol does not define what a malformed frame means.  Here it means what it
means to libmilter (comm.c, engine.c), so that no MTA sees a difference.
"""

from __future__ import annotations

import socket
import struct

MOST = 65_535  # bytes after the command (MILTER_MAX_DATA_SIZE); a longer frame ends the session
_HEAD = struct.Struct("!IB")
_SIGN = 0x8000_0000
_LONGEST_PATH = 108  # bytes of sun_path with its NUL


class Broken(Exception):
    """What the MTA sent is not a frame, or has no valid arguments: the session must end."""


Frame = tuple[int, bytes]  # a command of the MTA, and its payload


class Frames:
    """Turns bytes, which arrive in pieces of any size, into frames.  Keeps less than one frame and one piece."""

    def __init__(self) -> None:
        self._data = b""
        self._read = 0  # bytes of it that were returned as frames

    def feed(self, data: bytes) -> None:
        """Append bytes that have arrived."""
        self._data = self._data[self._read :] + data if self._read < len(self._data) else data
        self._read = 0

    def next(self) -> Frame | None:
        """Return the next frame, None if it is not complete yet.  Raises Broken if it is too long."""
        begin = self._read + _HEAD.size
        if begin > len(self._data):
            return None
        length, command = _HEAD.unpack_from(self._data, self._read)
        # libmilter subtracts 1 and treats the result as a signed number; a negative one means no payload.
        size = (length - 1) & 0xFFFF_FFFF
        size = 0 if size >= _SIGN else size
        if size > MOST:
            raise Broken(f"a frame of {size} bytes")
        if begin + size > len(self._data):
            return None
        self._read = begin + size
        return command, self._data[begin : self._read]


def frame(command: bytes, payload: bytes = b"") -> bytes:
    """Return the bytes of one frame for the MTA."""
    return struct.pack("!I", len(payload) + 1) + command + payload


def strings(*texts: bytes) -> bytes:
    """Return the bytes of arguments, each ended by NUL."""
    return b"".join(text + b"\0" for text in texts)


def arguments(payload: bytes) -> list[bytes]:
    """Return the arguments of MAIL or RCPT: all that end with NUL.  Raises Broken if there are none."""
    found = payload.split(b"\0")[:-1]
    if not found:
        raise Broken("arguments without an end")
    return found


def macro(payload: bytes, name: bytes) -> bytes | None:
    """Return the value of the macro `name` in `payload`, the names and values of one stage; None if it is not there.

    If a name occurs twice, the first one counts.  A name without a value that ends with NUL is ignored.
    """
    wanted = b"\0" + name + b"\0"
    texts = b"\0" + payload
    counted = ended = 0  # `ended`: how many names and values end before the position `counted`
    found = texts.find(wanted)
    while found >= 0:
        ended += texts.count(b"\0", counted, found)
        value = found + len(wanted)
        if ended % 2 == 0:  # a name follows, not a value
            end = texts.find(b"\0", value)
            return texts[value:end] if end >= 0 else None
        counted, found = found, texts.find(wanted, found + 1)
    return None


def header(payload: bytes) -> tuple[bytes, bytes]:
    """Return the name and the value of a header field.  Raises Broken."""
    end = payload.find(b"\0", 1)
    if not payload.endswith(b"\0") or not 0 < end < len(payload) - 1:
        raise Broken("a header field without an end")
    return payload[:end].partition(b"\0")[0], payload[end + 1 :].partition(b"\0")[0]


# (address, port) for IPv4, (address, port, 0, 0) for IPv6, the path of a unix socket, None if it is unknown
Address = tuple[str, int] | tuple[str, int, int, int] | bytes | None


def client(payload: bytes) -> tuple[bytes, int, Address]:
    """Return the name, the family (socket.AF_*) and the address of the client, from the payload of connect.

    The payload is the name, NUL, the family (SMFIA_*) and, unless that is SMFIA_UNKNOWN, the port (2 bytes) and the
    address.  Raises Broken.
    """
    end = payload.find(b"\0")
    if not 0 <= end < len(payload) - 1:
        raise Broken("a client without a family")
    name, family, rest = payload[:end], payload[end + 1 : end + 2], payload[end + 2 :]
    if family == b"U":
        return name, int(socket.AF_UNSPEC), None
    if len(rest) < 3 or not rest.endswith(b"\0"):
        raise Broken("a client without an address")
    address, (port,) = rest[2:].partition(b"\0")[0], struct.unpack("!H", rest[:2])
    match family:
        case b"4":
            return name, int(socket.AF_INET), (_ipv4(address), port)
        case b"6":
            return name, int(socket.AF_INET6), (_ipv6(address), port, 0, 0)
        case b"L" if len(address) < _LONGEST_PATH:
            return name, int(socket.AF_UNIX), address
    raise Broken("a family that is not known, or a path that is too long")


def _ipv4(address: bytes) -> str:
    try:  # libmilter accepts what inet_aton does, such as 127.1
        return socket.inet_ntoa(socket.inet_aton(address.decode("latin-1")))
    except OSError:
        raise Broken("not an IPv4 address") from None


def _ipv6(address: bytes) -> str:
    plain = address[5:] if address[:5].lower() == b"ipv6:" else address
    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, plain.decode("latin-1")))
    except OSError:
        raise Broken("not an IPv6 address") from None
